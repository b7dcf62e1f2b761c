"""What customer service adds to reminders: nobody is reminded about what a case is open about."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from feedback.models.flow import OPEN_STATES
from notifyhub.reminders.registry import SkipCondition, SkipField, skip_conditions

SUBJECT, CUSTOMER = "subject", "customer"

_OPEN = """EXISTS (
    SELECT 1 FROM feedback_case fc
    WHERE fc.customer_id = o.customer_id AND fc.state = ANY(%s) {about})"""
_ABOUT = """AND (fc.subject_ref = o.subject_ref OR (fc.order_number <> '' AND (
    fc.order_number = ord.number OR 'order:' || fc.order_number = o.subject_ref)))"""


def _open_case(params: dict[str, Any]) -> tuple[str, list[Any]]:
    about = _ABOUT if params.get("about", CUSTOMER) == SUBJECT else ""
    return _OPEN.format(about=about), [[str(state) for state in OPEN_STATES]]


def _abouts() -> list[tuple[str, Any]]:
    return [(CUSTOMER, _("any case of the customer")), (SUBJECT, _("a case about the same order"))]


def register() -> None:
    """Hand the condition to reminders."""
    skip_conditions.register(
        "open_case",
        SkipCondition(
            label=_("A case of the customer is open"),
            fields=(
                SkipField(name="about", label=_("About"), kind="choice", default=CUSTOMER, choices=_abouts),
            ),
            compile=_open_case,
        ),
        order=15,
    )
