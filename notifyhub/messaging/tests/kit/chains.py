"""Short ways to have a fallback chain, to let its waits pass, and to look at where everybody is."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.customers.services.contacts import contact_row, read_contact
from notifyhub.customers.tests.factories import make_topic, opt_in
from notifyhub.messaging.models import Batch, Delivery, Dispatch
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.receipts import Receipt, record_receipts
from notifyhub.messaging.tests.kit.sending import dispatch_to, make_recipients, memory_account

HOUR = 3600
TWO_STEPS: list[dict[str, Any]] = [{"channel": "email", "wait": HOUR, "until": "read"}, {"channel": "sms"}]
THREE_STEPS: list[dict[str, Any]] = [
    {"channel": "email", "wait": HOUR, "until": "read"},
    {"channel": "sms", "wait": HOUR},
    {"channel": "inbox"},
]


def memory_accounts() -> None:
    """Make an account in memory for each channel of these chains."""
    memory_account()
    for channel in ("sms", "inbox"):
        create_account(channel=channel, backend="memory", values={}, name=f"Memory {channel}")


def chained(*emails: str | None, chain: Sequence[dict[str, Any]] = TWO_STEPS, **fields: Any) -> Dispatch:
    """Accept a dispatch over a chain to a customer per mailbox (None: without one)."""
    topic = fields.get("topic") or make_topic()
    people = make_recipients(*emails, topic=topic)
    for one in people:
        opt_in(one, topic, "inbox")
    if fields.get("message_class") in (None, "promotional"):
        return dispatch_to(chain=list(chain), **fields)
    return dispatch_to(people, chain=list(chain), **fields)


def steps(dispatch: Dispatch) -> list[list[tuple[int, str, str]]]:
    """Return what each person got, in the order they were made: (step, state, reason)."""
    found: dict[int, list[tuple[int, str, str]]] = {}
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk).order_by("dedup_key", "step")
    for row in rows:
        line = (row.step, Delivery.State(row.state).name.lower(), row.reason)
        found.setdefault(row.dedup_key, []).append(line)
    return list(found.values())


def rows_of(dispatch: Dispatch, step: int) -> list[Delivery]:
    """Return the messages of one step, by person."""
    return list(Delivery.objects.filter(dispatch_id=dispatch.pk, step=step).order_by("dedup_key"))


def report(row: Delivery, kind: str) -> None:
    """Let the provider report."""
    now = timezone.now()
    record_receipts([Receipt(dispatch_id=row.dispatch_id, delivery_id=row.pk, kind=kind, at=now)])


def pass_time(dispatch: Dispatch, seconds: float = HOUR + 1) -> None:
    """Let time pass over a dispatch: all that happened and all that is to come moves into the past."""
    span = timedelta(seconds=seconds)
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk)
    rows.update(send_at=F("send_at") - span, settled_at=F("settled_at") - span)
    batches = Batch.objects.filter(dispatch=dispatch)
    batches.update(check_at=F("check_at") - span, not_before=F("not_before") - span)
    Dispatch.objects.filter(pk=dispatch.pk).update(
        expires_at=F("expires_at") - span, next_at=F("next_at") - span
    )


def checks(dispatch: Dispatch) -> int:
    """Return how many batches are still to be looked at."""
    return Batch.objects.filter(dispatch=dispatch, check_at__isnull=False).count()


def share_phone(first: Customer, second: Customer) -> None:
    """Give the second customer the first one's phone."""
    phone = ContactPoint.objects.get(customer=first, kind="phone").value
    ContactPoint.objects.filter(customer=second, kind="phone").delete()
    contact_row(read_contact(kind="phone", raw=str(phone)), customer_id=second.pk).save()
