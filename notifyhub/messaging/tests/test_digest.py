"""Messages that may be gathered wait for one another and go as one; nothing is lost or doubled."""

import pytest

from notifyhub.customers.models import Hold
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.models import Delivery, DigestItem, Dispatch
from notifyhub.messaging.services.digests.closing import close_due_digests
from notifyhub.messaging.services.dispatches import cancel_dispatch, progress
from notifyhub.messaging.tests.kit.digests import come_due, digests, gathering_version, plan_digests, tell
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    drain,
    make_recipients,
    memory_account,
    states,
)

pytestmark = pytest.mark.django_db(transaction=True)
State = DigestItem.State


def waits() -> int:
    return DigestItem.objects.filter(state=State.WAITING).count()


def test_messages_of_a_gathering_template_wait_and_go_as_one() -> None:
    memory_account()
    version = gathering_version()
    (ann,) = make_recipients("ann@mail.example")
    first = tell(version, [ann], ["A1"])
    second = tell(version, [ann, ann], ["A2", "A3"])
    assert states(first) == {"gathered": 1} and states(second) == {"gathered": 2}
    assert_counts_are_the_ledger(second)
    assert progress(dispatch_id=second.pk).gathered == 2 and progress(dispatch_id=second.pk).skipped == 0
    assert close_due_digests() == 0
    assert waits() == come_due() == 3
    assert close_due_digests() == 1
    (digest,) = digests()
    drain()
    assert states(digest) == {"sent": 1}
    (message,) = MemoryBackend.outbox
    assert message.subject == "3 parcels"
    assert [message.html.index(one) for one in ("A1", "A2", "A3")] == sorted(
        message.html.index(one) for one in ("A1", "A2", "A3")
    )
    assert set(DigestItem.objects.values_list("digest_id", "state")) == {(digest.pk, State.GATHERED)}
    assert Dispatch.objects.get(pk=second.pk).state == "finished"


def test_a_single_one_goes_with_the_normal_text_and_its_own_subject() -> None:
    memory_account()
    version = gathering_version(every="hour")
    people = make_recipients("ann@mail.example", "bob@mail.example")
    tell(version, people, ["A1", "B1"])
    come_due()
    assert close_due_digests() == 2
    (digest,) = digests()
    assert set(digest.items.values_list("subject_ref", flat=True)) == {"order:A1", "order:B1"}
    drain()
    assert {one.subject for one in MemoryBackend.outbox} == {"Order A1", "Order B1"}


def test_what_is_held_or_cancelled_or_expired_meanwhile_leaves_before_closing() -> None:
    version = gathering_version()
    (ann,) = make_recipients("ann@mail.example")
    tell(version, [ann], ["A1"])
    tell(version, [ann], ["A2"])
    cancelled = tell(version, [ann], ["A3"])
    Hold.objects.create(customer=ann, scope="subject", scope_value="order:A1", reason="dispute")
    Dispatch.objects.filter(pk=cancelled.pk).update(state="running")
    cancel_dispatch(dispatch_id=cancelled.pk)
    come_due()
    assert close_due_digests() == 1
    found = dict(DigestItem.objects.values_list("subject_ref", "reason"))
    assert found == {"order:A1": "hold", "order:A2": "", "order:A3": "cancelled"}


def test_a_digest_without_anything_left_is_not_sent_and_says_so() -> None:
    memory_account()
    version = gathering_version()
    (ann,) = make_recipients("ann@mail.example")
    tell(version, [ann, ann], ["A1", "A2"])
    come_due()
    close_due_digests()
    plan_digests()
    for number in ("A1", "A2"):
        Hold.objects.create(customer=ann, scope="subject", scope_value=f"order:{number}", reason="paid")
    drain()
    (row,) = plan_digests()
    assert (row.state, row.reason) == (Delivery.State.SKIPPED, "stopped")
    assert MemoryBackend.outbox == []


def test_one_that_is_done_between_closing_and_sending_is_left_out_and_says_why() -> None:
    memory_account()
    version = gathering_version()
    (ann,) = make_recipients("ann@mail.example")
    tell(version, [ann, ann, ann], ["A1", "A2", "A3"])
    come_due()
    close_due_digests()
    plan_digests()
    Hold.objects.create(customer=ann, scope="subject", scope_value="order:A2", reason="paid")
    drain()
    (message,) = MemoryBackend.outbox
    assert message.subject == "2 parcels" and "A2" not in message.html
    assert dict(DigestItem.objects.filter(state=State.DROPPED).values_list("subject_ref", "reason")) == {
        "order:A2": "hold"
    }


def test_what_would_expire_before_its_bucket_closes_goes_alone() -> None:
    from datetime import timedelta

    from django.utils import timezone

    version = gathering_version(every="week")
    (ann,) = make_recipients("ann@mail.example")
    dispatch = tell(version, [ann], ["A1"], expires_at=timezone.now() + timedelta(seconds=30))
    assert states(dispatch) == {"planned": 1} and waits() == 0


def test_urgent_and_audience_and_textless_dispatches_never_gather() -> None:
    version = gathering_version(message_class="service")
    (ann,) = make_recipients("ann@mail.example")
    assert states(tell(version, [ann], ["A1"], urgent=True)) == {"planned": 1}
    version.contents.update(digest_body="")
    assert states(tell(version, [ann], ["A2"])) == {"planned": 1}
    assert waits() == 0


def test_two_people_with_one_mailbox_get_what_is_theirs() -> None:
    memory_account()
    version = gathering_version()
    people = make_recipients("ann@mail.example", "ann@mail.example")
    tell(version, [*people, *people], ["A1", "B1", "A2", "B2"])
    come_due()
    assert close_due_digests() == 2
    drain()
    assert len(MemoryBackend.outbox) == 2
