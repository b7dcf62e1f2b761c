"""The circuit of an account: when it opens, who is told, how it is tried again, how it closes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.accounts import Accounts, begin_probe, note_troubles, take_tokens
from notifyhub.messaging.models import AccountGate, Batch, ProviderAccount
from notifyhub.messaging.services.accounts import update_account
from notifyhub.messaging.services.circuits import probe_now
from notifyhub.messaging.tests.kit.backends import forget_moods, moody_account
from notifyhub.messaging.tests.kit.sending import (
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    states,
    work,
)
from notifyhub.staff.models import AuditEntry, StaffNotice
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
GOOD, BAD = False, True


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    MemoryBackend.clear()
    yield
    forget_moods()


@pytest.fixture
def account() -> ProviderAccount:
    made = memory_account()
    take_tokens(made.pk, 1)
    return made


def gate() -> AccountGate:
    return AccountGate.objects.get()


def rest_over() -> None:
    """Let the time pass that an open circuit rests."""
    past = timezone.now() - timedelta(seconds=1)
    AccountGate.objects.update(retry_at=past, opened_at=past - timedelta(seconds=60))


def test_five_troubles_in_a_row_open_it_over_several_windows(account: ProviderAccount) -> None:
    note_troubles(account.pk, [GOOD, BAD, BAD])
    note_troubles(account.pk, [BAD, BAD])
    assert gate().circuit == "closed"
    note_troubles(account.pk, [BAD], trouble="connect refused")
    assert (gate().circuit, gate().trouble) == ("open", "connect refused")
    assert gate().opened_at is not None


def test_a_good_answer_begins_the_row_anew(account: ProviderAccount) -> None:
    note_troubles(account.pk, [BAD] * 4)
    note_troubles(account.pk, [GOOD])
    note_troubles(account.pk, [BAD] * 4)
    assert gate().circuit == "closed"


@pytest.mark.parametrize(
    ("good", "bad", "circuit"), [(16, 4, "open"), (17, 4, "closed"), (14, 4, "closed"), (80, 20, "open")]
)
def test_a_fifth_of_twenty_answers_in_a_minute_opens_it(
    account: ProviderAccount, good: int, bad: int, circuit: str
) -> None:
    note_troubles(account.pk, [GOOD] * (good - 1))
    # The good answers ride along with the next tokens, of whatever window.
    take_tokens(account.pk, 1)
    note_troubles(account.pk, [BAD] * bad + [GOOD])
    assert gate().circuit == circuit


def test_what_was_more_than_a_minute_ago_does_not_count(account: ProviderAccount) -> None:
    note_troubles(account.pk, [BAD] * 4 + [GOOD] * 15)
    assert (gate().answers, gate().troubles) == ([19, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0])
    AccountGate.objects.update(slot=gate().slot - 6)
    note_troubles(account.pk, [BAD, GOOD])
    assert (gate().circuit, sum(gate().answers)) == ("closed", 2)
    AccountGate.objects.update(slot=gate().slot - 2)
    take_tokens(account.pk, 1)
    assert gate().answers == [0, 0, 2, 0, 0, 0]


def test_good_answers_of_others_do_not_close_an_open_circuit(account: ProviderAccount) -> None:
    note_troubles(account.pk, [BAD] * 5)
    note_troubles(account.pk, [GOOD] * 100)
    assert gate().circuit == "open"
    rest_over()
    assert begin_probe(account.pk)
    note_troubles(account.pk, [GOOD])
    assert (gate().circuit, gate().opened_at, sum(gate().troubles)) == ("closed", None, 0)


def test_a_failed_probe_lets_it_rest_again(account: ProviderAccount) -> None:
    note_troubles(account.pk, [BAD] * 5)
    rest_over()
    since = gate().opened_at
    assert begin_probe(account.pk)
    note_troubles(account.pk, [BAD])
    assert (gate().circuit, gate().opened_at) == ("open", since)
    assert not begin_probe(account.pk)


def test_a_vendors_wish_to_wait_is_honoured_for_the_whole_account() -> None:
    account = moody_account("Busy", "busy", priority=1, wait=90)
    make_recipients(*["auto"] * 3)
    dispatch = dispatch_to()
    drain()
    assert states(dispatch) == {"planned": 3}
    rest = (gate().retry_at - timezone.now()).total_seconds()  # type: ignore[operator]
    assert gate().circuit == "open"
    assert 80 < rest <= 90
    assert gate().trouble == "429 Slow down"
    # What waits in a side batch waits as long.
    side = Batch.objects.get(dispatch=dispatch, ids__isnull=False)
    assert side.not_before > timezone.now() + timedelta(seconds=80)
    rest_over()
    update_account(account_id=account.pk, version=None, values={"mood": ""})
    Batch.objects.filter(state=0).update(not_before=timezone.now())
    drain()
    assert states(dispatch) == {"sent": 3}


def test_a_recipients_refusal_is_not_the_accounts_trouble() -> None:
    memory_account()
    make_recipients(
        *(f"reject{n}@mail.example" for n in range(15)), *(f"fail{n}@m.example" for n in range(15))
    )
    dispatch_to()
    drain()
    assert (gate().circuit, gate().failures, sum(gate().troubles)) == ("closed", 0, 0)


def test_an_account_that_falls_silent_leaves_few_in_doubt() -> None:
    account = moody_account("Silent", "silent", priority=1)
    people = make_recipients(*["auto"] * 9)
    first, second = dispatch_to(people[:5]), dispatch_to(people[5:])
    drain()
    assert (states(first), states(second)) == ({"unknown": 5}, {"planned": 4})
    assert gate().circuit == "open"
    assert gate().trouble
    rest_over()
    # Nor does a probe without an answer close it.
    drain()
    assert (states(second), gate().circuit) == ({"unknown": 1, "planned": 3}, "open")
    update_account(account_id=account.pk, version=None, values={"mood": ""})
    rest_over()
    drain()
    assert gate().circuit == "closed"
    assert states(second) == {"unknown": 1, "sent": 3}


def test_operations_hear_of_the_opening_and_of_the_closing_once(account: ProviderAccount) -> None:
    boss = make_user()
    for _ in range(3):
        note_troubles(account.pk, [BAD] * 5, trouble="connect refused")
    notice = StaffNotice.objects.get(recipient=boss, read_at=None)
    assert account.name in notice.title
    assert "connect refused" in notice.body
    rest_over()
    begin_probe(account.pk)
    note_troubles(account.pk, [GOOD])
    # The bad news is no longer true, so only the good one is left to read.
    again = StaffNotice.objects.get(recipient=boss, read_at=None)
    assert again.pk != notice.pk
    note_troubles(account.pk, [BAD] * 5)
    assert StaffNotice.objects.get(recipient=boss, read_at=None).dedup == f"circuit-open-{account.pk}"


def test_a_person_may_have_it_tried_now(account: ProviderAccount) -> None:
    with pytest.raises(Refused):
        probe_now(account_id=account.pk)
    note_troubles(account.pk, [BAD] * 5)
    assert Accounts().choose("email").shut
    probe_now(account_id=account.pk)
    assert Accounts().choose("email").probe
    assert AuditEntry.objects.filter(verb="probe_account").exists()
    make_recipients(*["auto"] * 3)
    dispatch = dispatch_to()
    from notifyhub.messaging.engine.planner import plan_dispatch

    plan_dispatch(dispatch_id=dispatch.pk)
    work(seconds=0)
    assert len(MemoryBackend.outbox) == 1
    assert gate().circuit == "closed"


def test_probing_no_account_is_refused() -> None:
    with pytest.raises(Refused):
        probe_now(account_id=0)
