"""Short ways to have something to send, and to look at what became of it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.management import call_command

from notifyhub.customers.models import Customer, Topic
from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.counts import fold_counts
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.worker import Worker
from notifyhub.messaging.models import Delivery, Dispatch, ProviderAccount
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.dispatches import Item, create_dispatch, progress

EVERYBODY = {"kind": "rule", "rule": {"all": True}}


def make_recipients(*emails: str | None, topic: Topic | None = None, **fields: Any) -> list[Customer]:
    """Return a customer per mailbox ("auto" for one of their own), opted in to email and SMS of `topic`."""
    made = [make_customer(email=email, **fields) for email in emails]
    for customer in made:
        opt_in(customer, topic or make_topic(), "email", "sms")
    return made


def memory_account(channel: str = "email", **fields: Any) -> ProviderAccount:
    """Return an account whose messages stay in `MemoryBackend.outbox`, empty now."""
    MemoryBackend.clear()
    fields.setdefault("name", f"Memory {channel}")
    return create_account(channel=channel, backend="memory", values={}, **fields)


def dispatch_to(customers: Sequence[Customer] | None = None, **fields: Any) -> Dispatch:
    """Accept a promotional mail to everybody, or to `customers` as items."""
    facts: dict[str, Any] = {
        "title": "Noodles",
        "origin_kind": "test",
        "message_class": "promotional",
        "chain": [{"channel": "email"}],
        "text": {"subject": "Noodles", "body": "Half price today"},
        "audience": EVERYBODY,
    }
    facts |= fields
    if facts["message_class"] == "promotional" and "topic" not in fields:
        facts["topic"] = make_topic()
    if customers is not None:
        facts["audience"] = {"kind": "items"}
        facts["items"] = [Item(item=n, customer_id=one.pk) for n, one in enumerate(customers)]
    return create_dispatch(**facts)


def drain() -> None:
    """Let a worker in this process do everything that is due."""
    call_command("run_worker_once", verbosity=0)


def work(*, priority: int = Priority.BULK, seconds: float = 5.0, **options: Any) -> int:
    """Send what is due without planning, reaping or finishing; return how many rows ended."""
    transport = Transport()
    try:
        return Worker(transport, **options).drain(priority=priority, seconds=seconds)
    finally:
        transport.close()


def states(dispatch: Dispatch) -> dict[str, int]:
    """Return how many rows of the ledger are in each state, by name."""
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk).values_list("state", flat=True)
    return dict(Counter(Delivery.State(state).name.lower() for state in rows))


def reasons(dispatch: Dispatch) -> dict[str, int]:
    """Return how many ended rows bear each reason."""
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk).exclude(reason="").exclude(state=0)
    return dict(Counter(rows.values_list("reason", flat=True)))


def assert_counts_are_the_ledger(dispatch: Dispatch) -> None:
    """Fail unless every counter equals a count of rows, and the numbers close."""
    fold_counts([dispatch.pk])
    dispatch.refresh_from_db()
    found = Counter(states(dispatch))
    numbers = progress(dispatch_id=dispatch.pk)
    assert numbers.planned == sum(found.values())
    assert numbers.sent == found["sent"] + found["delivered"]
    assert numbers.delivered == found["delivered"]
    assert numbers.failed == found["failed"] + found["bounced"]
    for name in ("skipped", "unknown", "expired", "cancelled"):
        assert getattr(numbers, name) == found[name], name
        assert getattr(dispatch, name) == found[name], name
    assert numbers.open == found["planned"]
    assert numbers.by_reason == reasons(dispatch)
