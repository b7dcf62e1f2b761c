"""Sending by windows: each gate is looked at again, and each answer becomes the right state."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.customers.models import Consent, ContactPoint, Customer, Hold, Suppression
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.channels.memory import MemoryBackend
from notifyhub.messaging.engine.lease import take_lease
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.window_sql import Needs, needs_of, window_sql
from notifyhub.messaging.models import (
    Batch,
    Delivery,
    DeliveryEvent,
    Dispatch,
    MessageCopy,
    ProviderAccount,
    SenderIdentity,
)
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.registry import item_variables, stop_conditions
from notifyhub.messaging.services.accounts import update_account
from notifyhub.messaging.services.dispatches import Item
from notifyhub.messaging.tests.factories import make_version
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
    work,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _account() -> None:
    memory_account()


def planned(*emails: str, **fields: Any) -> tuple[Dispatch, list[Customer]]:
    customers = make_recipients(*emails)
    dispatch = dispatch_to(**fields)
    plan_dispatch(dispatch_id=dispatch.pk)
    return dispatch, customers


def opt_out(customer: Customer) -> None:
    Consent.objects.filter(customer=customer).update(decision="out")


def suppress(customer: Customer) -> None:
    point = ContactPoint.objects.get(customer=customer, kind="email")
    Suppression.objects.create(kind="email", value_hash=point.value_hash, masked="x", reason="stop")


def hold(customer: Customer) -> None:
    Hold.objects.create(customer=customer, scope="promotions", reason="Complaint")


def invalidate(customer: Customer) -> None:
    ContactPoint.objects.filter(customer=customer, kind="email").update(valid=False)


def forget(customer: Customer) -> None:
    ContactPoint.objects.filter(customer=customer, kind="email").delete()


def withdraw(customer: Customer) -> None:
    Consent.objects.filter(customer=customer).delete()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (opt_out, "opted_out"),
        (withdraw, "no_consent"),
        (suppress, "suppressed"),
        (hold, "hold"),
        (invalidate, "invalid_contact"),
        (forget, "no_contact"),
    ],
)
def test_what_changed_since_planning_is_honoured(change: Any, reason: str) -> None:
    dispatch, customers = planned("auto", "auto", "auto")
    change(customers[1])
    drain()
    assert reasons(dispatch) == {reason: 1}
    assert states(dispatch) == {"sent": 2, "skipped": 1}
    assert len(MemoryBackend.outbox) == 2
    assert DeliveryEvent.objects.get(dispatch_id=dispatch.pk, kind="skipped").code == reason
    assert_counts_are_the_ledger(dispatch)


def test_an_unsubscribe_in_mid_batch_stops_the_next_window() -> None:
    dispatch, customers = planned(*["auto"] * 6)
    work(window=2, seconds=0)
    for customer in customers:
        opt_out(customer)
    drain()
    assert len(MemoryBackend.outbox) == 2
    assert states(dispatch) == {"sent": 2, "skipped": 4}


def test_a_merged_customers_stricter_consent_counts() -> None:
    dispatch, (customer,) = planned("auto")
    kept = make_customer(email=None)
    Customer.objects.filter(pk=customer.pk).update(state="merged", merged_into=kept)
    drain()
    assert reasons(dispatch) == {"no_consent": 1}


def test_an_origin_may_stop_what_is_no_longer_due() -> None:
    stop_conditions.register("errand", "d.dedup_key = 1")
    customers = make_recipients("auto", "auto", "auto")
    dispatch = dispatch_to(customers, origin_kind="errand", message_class="transactional")
    drain()
    assert reasons(dispatch) == {"stopped": 1}
    assert_counts_are_the_ledger(dispatch)


def test_one_window_of_many_dispatches_looks_at_what_any_of_them_needs() -> None:
    stop_conditions.register("errand", "d.dedup_key >= 0")
    stopped, plain = (
        dispatch_to([customer], message_class="transactional", priority=Priority.REALTIME, **fields)
        for customer, fields in zip(
            make_recipients("auto", "auto"), ({"origin_kind": "errand"}, {}), strict=True
        )
    )
    assert work(priority=Priority.REALTIME) == 2
    assert reasons(stopped) == {"stopped": 1}
    assert states(plain) == {"sent": 1}


def test_what_nothing_in_a_window_can_need_is_left_out_of_its_statement() -> None:
    stop_conditions.register("errand", "d.dedup_key = 1")
    plain, _ = planned("auto")
    errand = dispatch_to(make_recipients("auto"), origin_kind="errand", subject_ref="order:7")
    taken = take_lease(owner="x", priority=Priority.BULK, seconds=60, window=1, blocked=[])
    assert taken is not None
    batch = taken.batches[0]
    assert needs_of([batch], [plain]) == Needs(origins=frozenset(), steps=False, items=False, subjects=False)
    further = replace(batch, step=1)
    assert needs_of([batch, further], [plain, errand]) == Needs(origins=frozenset({"errand"}))
    statements = [
        window_sql([batch], take=1, needs=needs_of([batch], dispatches))[0]
        for dispatches in ([plain], [plain, errand])
    ]
    assert [["messaging_dispatchitem" in one, "dedup_key = 1" in one] for one in statements] == [
        [False, False],
        [True, True],
    ]


def test_answers_become_states() -> None:
    dispatch, _ = planned("auto", "reject@mail.example", "fail@mail.example", "silent@mail.example")
    drain()
    assert states(dispatch) == {"sent": 1, "failed": 1, "planned": 1, "unknown": 1}
    assert reasons(dispatch) == {"rejected": 1, "ambiguous": 1}
    kinds = DeliveryEvent.objects.filter(dispatch_id=dispatch.pk).values_list("kind", flat=True)
    assert sorted(kinds) == ["failed", "retry", "sent", "unknown"]
    # What it says is kept with the opening, so that what may have arrived can be shown after a crash too.
    assert MessageCopy.objects.filter(dispatch_id=dispatch.pk).count() == 4
    assert_counts_are_the_ledger(dispatch)
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.RUNNING


def tomorrow() -> None:
    """Bring everything that waits to its time."""
    Batch.objects.filter(state=Batch.State.READY).update(not_before=timezone.now())


def test_a_transient_failure_waits_in_a_side_batch_and_ends_after_five_tries() -> None:
    dispatch, _ = planned("auto", "fail@mail.example", "fail2@mail.example", "later@mail.example")
    before = timezone.now()
    drain()
    sides = list(Batch.objects.filter(dispatch=dispatch, ids__isnull=False).order_by("not_before"))
    assert [len(side.ids or []) for side in sides] == [2, 1]
    assert sides[0].not_before > before + timedelta(seconds=7)
    assert sides[1].not_before > before + timedelta(seconds=119)
    for _try in range(4):
        tomorrow()
        drain()
        assert_counts_are_the_ledger(dispatch)
    assert states(dispatch) == {"sent": 1, "failed": 3}
    assert reasons(dispatch) == {"too_many_tries": 3}
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.FINISHED


def test_a_promotion_in_doubt_is_never_sent_again_by_itself() -> None:
    dispatch, _ = planned("once-silent@mail.example")
    drain()
    tomorrow()
    drain()
    assert states(dispatch) == {"unknown": 1}
    assert len(MemoryBackend.outbox) == 1


@pytest.mark.parametrize(
    ("address", "state", "handed_over"),
    [("once-silent@mail.example", "sent", 2), ("silent@mail.example", "unknown", 2)],
)
def test_an_assured_message_in_doubt_is_sent_once_more_under_the_same_id(
    address: str, state: str, handed_over: int
) -> None:
    customers = make_recipients(address)
    dispatch = dispatch_to(customers, message_class="transactional")
    drain()
    assert states(dispatch) == {"planned": 1}
    tomorrow()
    drain()
    assert states(dispatch) == {state: 1}
    assert len(MemoryBackend.outbox) == handed_over
    assert len({message.key for message in MemoryBackend.outbox}) == 1
    assert_counts_are_the_ledger(dispatch)


def test_a_text_that_cannot_be_filled_in_fails_its_row_only() -> None:
    customers = make_recipients("auto", "auto", "auto")
    Customer.objects.filter(pk=customers[1].pk).update(attributes={"n": 100_000})
    version = make_version(("sms", "zh-hans"), message_class="transactional")
    content = version.contents.get()
    content.body = "{% for i in (1..customer.attributes.n) %}x{% endfor %}Hello"
    content.save()
    memory_account("sms", name="Memory sms")
    dispatch = dispatch_to(
        customers,
        message_class="transactional",
        template_version=version,
        text=None,
        chain=[{"channel": "sms"}],
    )
    drain()
    assert states(dispatch) == {"sent": 2, "failed": 1}
    assert reasons(dispatch) == {"render_error": 1}
    assert_counts_are_the_ledger(dispatch)


def test_variables_come_from_the_customer_the_item_and_the_origin() -> None:
    version = make_version(("email", "en"), message_class="transactional")
    content = version.contents.get()
    content.subject, content.body = "{{ customer.name }}", "{{ code }} {{ hotel }}"
    content.compiled = ""
    content.save()
    customer = make_customer(name="李", locale="en")
    item_variables.register("booking", lambda dispatch_id, keys: {key: {"hotel": f"H{key}"} for key in keys})
    dispatch_to(
        message_class="transactional",
        origin_kind="booking",
        template_version=version,
        text=None,
        audience={"kind": "items"},
        items=[Item(item=7, customer_id=customer.pk, variables={"code": "4711"})],
    )
    drain()
    (message,) = MemoryBackend.outbox
    assert message.subject == "李"
    assert "4711 H7" in (message.html or "")


def test_mail_that_can_be_left_says_how() -> None:
    SenderIdentity.objects.create(
        name="Deals",
        channel="email",
        from_name="觅食",
        from_email="deals@shop.example",
        classes=["promotional"],
    )
    planned("auto")
    drain()
    (message,) = MemoryBackend.outbox
    assert message.sender.name == "觅食"
    headers = dict(message.headers)
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "/u/" in headers["List-Unsubscribe"]
    MemoryBackend.clear()
    dispatch_to([make_customer()], message_class="transactional")
    drain()
    assert MemoryBackend.outbox[0].headers == ()


def test_without_any_account_the_row_fails_and_says_so() -> None:
    ProviderAccount.objects.filter(channel="email").update(active=False)
    dispatch, _ = planned("auto")
    drain()
    assert reasons(dispatch) == {"no_account": 1}


def test_the_sandbox_serves_only_while_there_is_no_other_account() -> None:
    dispatch, _ = planned("auto")
    drain()
    assert states(dispatch) == {"sent": 1}
    account = ProviderAccount.objects.get(name="Memory email")
    update_account(account_id=account.pk, version=None, active=False)
    other = dispatch_to()
    drain()
    assert states(other) == {"delivered": 1}


def test_realtime_work_of_many_dispatches_is_one_window() -> None:
    made = [
        dispatch_to([customer], message_class="transactional", priority=Priority.REALTIME)
        for customer in make_recipients(*["auto"] * 7)
    ]
    assert {dispatch.state for dispatch in made} == {Dispatch.State.RUNNING}
    assert work(priority=Priority.REALTIME) == 7
    assert all(states(dispatch) == {"sent": 1} for dispatch in made)


def test_a_realtime_message_does_not_wait_behind_bulk() -> None:
    planned(*["auto"] * 3)
    (urgent,) = make_recipients("urgent@mail.example")
    dispatch_to([urgent], message_class="transactional", priority=Priority.REALTIME)
    work(priority=Priority.REALTIME)
    assert [message.to for message in MemoryBackend.outbox] == ["urgent@mail.example"]


def test_bulk_takes_turns_between_dispatches() -> None:
    make_recipients("auto", "auto")
    first, second = dispatch_to(), dispatch_to()
    for dispatch in (first, second):
        plan_dispatch(dispatch_id=dispatch.pk)
        Batch.objects.filter(dispatch=dispatch, state=0).update(hi=0)
    for dispatch in (first, second):
        rows = Delivery.objects.filter(dispatch_id=dispatch.pk, state=0).order_by("id")
        low, high = [row.id for row in rows]
        Batch.objects.filter(dispatch=dispatch, state=0).update(hi=low)
        Batch.objects.create(
            dispatch=dispatch,
            channel="email",
            priority=1,
            lo=high,
            hi=high,
            cursor=low,
            open_to=low,
            not_before=dispatch.send_at,
        )
    drain()
    order = [int(message.reference.partition("-")[0]) for message in MemoryBackend.outbox]
    assert order == [first.pk, second.pk, first.pk, second.pk]


def test_a_dispatch_keeps_to_its_own_rate() -> None:
    dispatch, _ = planned(*["auto"] * 5, rate_per_second=2)
    work(seconds=0)
    assert len(MemoryBackend.outbox) == 2
    dispatch.refresh_from_db()
    assert dispatch.next_at is not None
    assert dispatch.next_at > timezone.now()
