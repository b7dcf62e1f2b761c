"""The least valid cases and the people around them."""

from itertools import count
from typing import Any

from feedback.models import Case, Category
from feedback.services.intake import log_case
from notifyhub.customers.tests.factories import make_customer
from notifyhub.staff.models import Membership, User
from notifyhub.staff.tests.factories import make_team, make_user

_names = count(1)

RESOLUTION = {"decision": "upheld", "resolution_code": "explained", "root_cause": "delivery"}


def make_agent(role: str = "agent", team: str = "Service one", **fields: Any) -> User:
    """Return somebody who works on cases, in a service team."""
    user = make_user(role, username=f"{role}{next(_names)}", **fields)
    Membership.objects.create(user=user, team=make_team(team, "service"), leads=role == "service_lead")
    return user


def category(code: str = "delivery") -> Category:
    """Return one of the categories a house starts with."""
    return Category.objects.get(code=code)


def make_case(actor: User | None, *, code: str = "delivery", **fields: Any) -> Case:
    """Return a case: the actor's and open, or new and nobody's without one."""
    fields.setdefault("summary", "The order came an hour late")
    if "phone" not in fields and "customer_id" not in fields:
        fields["customer_id"] = make_customer().pk
    if actor is None:
        fields.setdefault("source", "app")
    return log_case(actor=actor, category_id=category(code).pk, **fields)
