"""Accepting a request: once it is answered with 202, every recipient ends in exactly one state."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint
from notifyhub.customers.models.consent import MessageClass
from notifyhub.customers.services.contacts import ContactValue, read_contact
from notifyhub.customers.services.importing.problems import reason_of
from notifyhub.customers.services.upsert import CustomerRow, match_customers, upsert_customers
from notifyhub.messaging.models import Dispatch, Template, TemplateVersion
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import Item, create_dispatch
from notifyhub.messaging.services.requests.attachments import (
    AttachmentIn,
    check_attachments,
    keep_attachments,
)
from notifyhub.staff.models import ApiKey

ORIGIN = "api"


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """One recipient: `customer` (the platform's number), or else a `phone` or an `email`.

    A phone or mailbox that nobody is known by makes a provisional customer.
    """

    customer: str = ""
    phone: str = ""
    email: str = ""
    subject_ref: str = ""
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RecipientProblem:
    """Why the recipient at `index` cannot be written to."""

    index: int
    field: str
    message: str


class RecipientsRefused(Refused):
    """Some recipients cannot be used; nothing was accepted."""

    def __init__(self, problems: list[RecipientProblem]) -> None:
        super().__init__(_("Some recipients cannot be used; nothing was accepted."), field="recipients")
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What was accepted."""

    dispatch: Dispatch
    recipients: int
    customers_created: int


@transaction.atomic
def accept_messages(
    *,
    key: ApiKey,
    recipients: Sequence[Recipient],
    template: str = "",
    text: dict[str, str] | None = None,
    chain: list[dict[str, Any]],
    title: str = "",
    subject_ref: str = "",
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
    urgent: bool = False,
    bulk: bool = False,
    attachments: Sequence[AttachmentIn] = (),
) -> Accepted:
    """Commit one message to each recipient and wake the workers; return what was accepted.

    `template` is a template's key, and its class and topic hold; `text` ({"subject", "body"}) instead of it
    is transactional. Raises Refused, or RecipientsRefused with the place of each: all are taken or none.
    """
    version = _version(template) if template else None
    message_class = version.template.message_class if version else MessageClass.TRANSACTIONAL.value
    channels = [str(step.get("channel")) for step in chain]
    check_attachments(attachments, message_class=message_class, channels=channels)
    customers, contacts, created = _resolve(recipients)
    realtime = not bulk and message_class in (MessageClass.TRANSACTIONAL, MessageClass.SERVICE)
    said = version.template.name if version else (text or {}).get("subject", "")
    dispatch = create_dispatch(
        title=title or said or _("Message"),
        origin_kind=ORIGIN,
        origin_id=str(key.pk),
        trigger=key.name,
        message_class=message_class,
        chain=chain,
        audience={"kind": "items"},
        template_version=version,
        text=text if version is None else None,
        priority=Priority.REALTIME if realtime else Priority.BULK,
        send_at=send_at,
        expires_at=expires_at,
        subject_ref=subject_ref,
        urgent=urgent,
        items=[
            Item(
                item=index,
                customer_id=customers[index],
                contact_id=contacts.get(index),
                subject_ref=one.subject_ref,
                variables=one.variables,
            )
            for index, one in enumerate(recipients)
        ],
        owner=key.owner,
        owner_team=key.owner_team or (version.template.owner_team if version else None),
    )
    keep_attachments(dispatch, attachments)
    return Accepted(dispatch=dispatch, recipients=len(recipients), customers_created=created)


def _version(key: str) -> TemplateVersion:
    template = Template.objects.filter(key=key, archived_at__isnull=True).first()
    if template is None:
        raise Refused(_("There is no template “%s”.") % key, field="template")
    version = template.versions.filter(state=TemplateVersion.State.PUBLISHED).first()
    if version is None:
        raise Refused(_("Template “%s” is not published yet.") % key, field="template")
    return version


def _resolve(recipients: Sequence[Recipient]) -> tuple[dict[int, int], dict[int, int], int]:
    """Return everybody's customer, the contact point of who was named by one, and how many are new."""
    rows: list[CustomerRow] = []
    named: dict[int, ContactValue] = {}
    problems: list[RecipientProblem] = []
    for index, one in enumerate(recipients):
        given = [(kind, getattr(one, kind)) for kind in ("customer", "phone", "email") if getattr(one, kind)]
        if len(given) != 1:
            message = _("Name the recipient by exactly one of customer, phone and email.")
            problems.append(RecipientProblem(index=index, field="customer", message=message))
            continue
        kind, raw = given[0]
        if kind == "customer":
            rows.append(CustomerRow(line=index, external_id=raw))
            continue
        try:
            named[index] = read_contact(kind=kind, raw=raw)
        except Refused as refusal:
            problems.append(RecipientProblem(index=index, field=kind, message=str(refusal)))
            continue
        rows.append(CustomerRow(line=index, contacts={kind: named[index]}, provisional=True))
    known = match_customers(rows=rows)
    customers = {kept.line: kept.customer_id for kept in known.kept}
    refused = {one.line: one for one in known.problems}
    for row in rows:
        if row.external_id and row.line not in customers and row.line not in refused:
            message = _("There is no customer with this number.")
            problems.append(RecipientProblem(index=row.line, field="customer", message=message))
    problems += [
        RecipientProblem(
            index=one.line,
            field="customer" if one.column in (None, "", "external_id") else one.column,
            message=reason_of(one.code, one.params),
        )
        for one in refused.values()
    ]
    if problems:
        raise RecipientsRefused(sorted(problems, key=lambda one: one.index))
    strangers = [row for row in rows if row.line not in customers]
    created = 0
    if strangers:
        outcome = upsert_customers(rows=strangers)
        created = outcome.created
        customers |= {kept.line: kept.customer_id for kept in outcome.kept}
    return customers, _contact_points(customers, named), created


def _contact_points(customers: dict[int, int], named: dict[int, ContactValue]) -> dict[int, int]:
    """Return the contact point of each recipient that was named by one, so that this one is written to."""
    rows = ContactPoint.objects.filter(
        customer_id__in={customers[index] for index in named},
        value_hash__in={one.value_hash for one in named.values()},
    ).values_list("customer_id", "kind", "value_hash", "pk")
    found = {(customer, kind, bytes(digest)): pk for customer, kind, digest, pk in rows}
    points = {index: found.get((customers[index], one.kind, one.value_hash)) for index, one in named.items()}
    return {index: pk for index, pk in points.items() if pk is not None}
