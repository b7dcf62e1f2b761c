"""What must be true after any fault: the server's log held against the ledger."""

from collections import Counter
from pathlib import Path

from notifyhub.customers.models import ContactPoint, Suppression
from notifyhub.messaging.models import Batch, Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.tests.kit.processes import lines_of
from notifyhub.messaging.tests.kit.sending import assert_counts_are_the_ledger, states

State = Delivery.State
ENDED = (Dispatch.State.FINISHED, Dispatch.State.CANCELLED)


def handed_over(log: Path) -> Counter[str]:
    """Return how often the server accepted each message, by its Message-ID."""
    return Counter(line.split()[1] for line in lines_of(log))


def assert_honest(
    dispatch: Dispatch, log: Path, *, rows: int, unknown: int = 0, doubles: int = 0
) -> dict[str, int]:
    """Fail unless every row has its honest end; return how many are in each state.

    At most `unknown` rows may be in doubt, and at most `doubles` copies more than one of a message may have
    been handed over.
    """
    dispatch.refresh_from_db()
    assert dispatch.state in ENDED, dispatch.state
    assert not Batch.objects.filter(dispatch=dispatch).exclude(state=Batch.State.DONE).exists()
    found = states(dispatch)
    assert sum(found.values()) == rows
    assert "planned" not in found
    assert found.get("unknown", 0) <= unknown, found
    handed = handed_over(log)
    ledger = {
        f"{dispatch.key.hex}.{number}@localhost": state
        for number, state in Delivery.objects.filter(dispatch_id=dispatch.pk).values_list("id", "state")
    }
    assert set(handed) <= set(ledger), "the server has messages that nobody planned"
    assert sum(count - 1 for count in handed.values()) <= doubles
    assert max(handed.values(), default=1) <= 2
    took = {State.SENT, State.DELIVERED, State.BOUNCED, State.UNKNOWN}
    wrong = [name for name in handed if ledger[name] not in took]
    assert wrong == [], "the ledger denies what the server has"
    missing = [name for name, state in ledger.items() if state == State.SENT and name not in handed]
    assert missing == [], "the ledger claims what the server never saw"
    _assert_nobody_suppressed(dispatch, {int(name.split(".")[1].split("@")[0]) for name in handed})
    _assert_one_ending_each(dispatch)
    assert_counts_are_the_ledger(dispatch)
    return found


def _assert_nobody_suppressed(dispatch: Dispatch, handed: set[int]) -> None:
    hashes = {bytes(one) for one in Suppression.objects.values_list("value_hash", flat=True)}
    if not hashes:
        return
    contacts = Delivery.objects.filter(dispatch_id=dispatch.pk, id__in=handed).values_list("contact_id")
    points = ContactPoint.objects.filter(pk__in=contacts).values_list("value_hash", flat=True)
    assert not [one for one in points if bytes(one) in hashes], "a suppressed contact got mail"


def _assert_one_ending_each(dispatch: Dispatch) -> None:
    """Fail if a message was settled twice: each has one event of its end."""
    ends = ("sent", "failed", "unknown", "skipped", "expired", "cancelled")
    events = DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind__in=ends)
    counts = Counter(events.values_list("delivery_id", flat=True))
    assert [number for number, count in counts.items() if count > 1] == []
