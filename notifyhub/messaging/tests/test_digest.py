"""Messages that may be gathered wait for one another and go as one; nothing is lost or doubled."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifyhub.core import crypto
from notifyhub.customers.models import Customer, Hold
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Delivery, DigestItem, Dispatch, MessageCopy, SendingPolicy
from notifyhub.messaging.registry import item_variables, stop_conditions
from notifyhub.messaging.services.copies import unpack_and_show
from notifyhub.messaging.services.digests.closing import close_due_digests
from notifyhub.messaging.services.dispatches import Item, cancel_dispatch, create_dispatch, progress
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
    assert states(first) == {"gathered": 1}
    assert states(second) == {"gathered": 2}
    assert_counts_are_the_ledger(second)
    assert progress(dispatch_id=second.pk).gathered == 2
    assert progress(dispatch_id=second.pk).skipped == 0
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
    assert message.subject == "2 parcels"
    assert "<li>A2" not in message.html
    assert dict(DigestItem.objects.filter(state=State.DROPPED).values_list("subject_ref", "reason")) == {
        "order:A2": "hold"
    }


def test_what_would_expire_before_its_bucket_closes_goes_alone() -> None:
    version = gathering_version(every="week")
    (ann,) = make_recipients("ann@mail.example")
    dispatch = tell(version, [ann], ["A1"], expires_at=timezone.now() + timedelta(seconds=30))
    assert states(dispatch) == {"planned": 1}
    assert waits() == 0


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


def test_stop_conditions_and_words_of_the_origin_hold_for_each_gathered_one() -> None:
    memory_account()
    # Paid is who moved to the town of Paid: a look-up by the key of the delivery's customer.
    stop_conditions.register(
        "gathered-errand",
        "d.dedup_key = 1 AND EXISTS (SELECT 1 FROM customers_customer x WHERE x.id = d.customer_id"
        " AND x.city LIKE 'Pa%%')",
    )
    item_variables.register(
        "gathered-errand", lambda dispatch_id, keys: {key: {"order": {"number": f"E{key}"}} for key in keys}
    )
    version = gathering_version()
    (ann,) = make_recipients("ann@mail.example")
    tell(version, [ann, ann, ann], ["A0", "A1", "A2"], origin_kind="gathered-errand")
    tell(version, [ann, ann], ["B0", "B1"])
    come_due()
    assert close_due_digests() == 1
    plan_digests()
    Customer.objects.filter(pk=ann.pk).update(city="Paid")
    drain()
    (message,) = MemoryBackend.outbox
    assert message.subject == "4 parcels"
    found = [message.html.index(f"<li>{one}</li>") for one in ("E0", "E2", "B0", "B1")]
    assert found == sorted(found)
    assert "<li>E1" not in message.html
    assert dict(DigestItem.objects.exclude(reason="").values_list("subject_ref", "reason")) == {
        "order:A1": "stopped"
    }
    # What stops before the bucket closes leaves it then.
    tell(version, [ann, ann], ["C0", "C1"], origin_kind="gathered-errand")
    come_due()
    assert close_due_digests() == 1
    assert DigestItem.objects.get(subject_ref="order:C1").state == State.DROPPED


def test_secrets_of_what_is_gathered_are_never_kept() -> None:
    memory_account()
    version = gathering_version()
    (ann,) = make_recipients("ann@mail.example")
    items = [
        Item(item=n, customer_id=ann.pk, variables={"order": {"number": f"N{n}"}, "secret_pin": f"pin-{n}"})
        for n in range(2)
    ]
    tell(version, [], [], items=items)
    come_due()
    close_due_digests()
    drain()
    (digest,) = digests()
    (row,) = plan_digests()
    assert unpack_and_show(digest, row) is not None
    kept = [crypto.decrypt(bytes(one.payload)) for one in MessageCopy.objects.filter(dispatch_id=digest.pk)]
    assert kept
    assert not any("pin-" in one for one in kept)


def test_after_an_outage_one_digest_has_what_several_would_have_had() -> None:
    version = gathering_version(every="hour")
    (ann,) = make_recipients("ann@mail.example")
    for number in range(3):
        tell(version, [ann], [f"A{number}"])
        DigestItem.objects.filter(subject_ref=f"order:A{number}").update(
            closes_at=timezone.now() - timedelta(hours=number + 1)
        )
    assert close_due_digests() == 1
    assert digests()[0].items.count() == 1


def test_limits_of_now_do_not_keep_what_goes_later() -> None:
    version = gathering_version()
    SendingPolicy.objects.filter(message_class="informational").update(cap_day=1)
    (ann,) = make_recipients("ann@mail.example")
    memory_account()
    urgent = tell(version, [ann], ["A0"], urgent=True)
    drain()
    assert states(urgent) == {"sent": 1}
    assert states(tell(version, [ann], ["A1"])) == {"gathered": 1}
    come_due()
    close_due_digests()
    (row,) = plan_digests()
    # The digest is a message like any: today they have had enough.
    assert (row.state, row.reason) == (Delivery.State.SKIPPED, "cap_day")


def test_planning_what_never_gathers_asks_and_says_nothing_more() -> None:
    version = gathering_version()
    (ann,) = make_recipients("ann@mail.example")
    type(version.template).objects.update(gather="never")
    version.template.refresh_from_db()
    dispatch = create_dispatch(
        title="Parcel",
        origin_kind="test",
        message_class="informational",
        template_version=version,
        chain=[{"channel": "email"}],
        audience={"kind": "items"},
        items=[Item(item=1, customer_id=ann.pk)],
    )
    with CaptureQueriesContext(connection) as asked:
        plan_dispatch(dispatch_id=dispatch.pk)
    assert not any("digest" in one["sql"] for one in asked.captured_queries)
