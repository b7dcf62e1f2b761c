"""What goes wrong a hundred times, or in too large a share, pauses its dispatch and waits for a person."""

from typing import Any

import pytest
from django.utils import timezone

from notifyhub.customers.models import Customer
from notifyhub.messaging.engine.finish import finish_dispatches
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.selfpause import pause_failing
from notifyhub.messaging.models import Batch, DeliveryEvent, Dispatch
from notifyhub.messaging.services.dispatches import resume_dispatch
from notifyhub.messaging.tests.factories import make_version
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    reasons,
    states,
)
from notifyhub.staff.models import AuditEntry, StaffNotice, User
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def unfillable(count: int, **fields: Any) -> Dispatch:
    """Return a dispatch over SMS whose text cannot be filled in for `count` customers, and for one it can."""
    customers = make_recipients(*["auto"] * (count + 1))
    Customer.objects.filter(pk__in=[one.pk for one in customers[:count]]).update(attributes={"n": 100_000})
    version = make_version(("sms", "zh-hans"), message_class="transactional")
    content = version.contents.get()
    content.body = "{% for i in (1..customer.attributes.n) %}x{% endfor %}Hello"
    content.save()
    memory_account("sms")
    dispatch = dispatch_to(
        customers,
        message_class="transactional",
        template_version=version,
        text=None,
        chain=[{"channel": "sms"}],
        **fields,
    )
    plan_dispatch(dispatch_id=dispatch.pk)
    return dispatch


def test_a_hundred_texts_that_cannot_be_filled_in_pause_the_dispatch() -> None:
    boss, owner = make_user(), User.objects.create_user(username="editor", is_staff=True)
    dispatch = unfillable(250, owner=owner)
    drain()
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.PAUSED
    assert "100" in dispatch.pause_reason
    assert reasons(dispatch) == {"render_error": 100}
    assert states(dispatch) == {"failed": 100, "planned": 151}
    told = StaffNotice.objects.filter(dedup__startswith=f"paused-{dispatch.pk}-")
    assert {notice.recipient_id for notice in told} == {boss.pk, owner.pk}
    assert AuditEntry.objects.filter(verb="pause_dispatch").count() == 1
    # Who resumes accepts this hundred, and not the next.
    resume_dispatch(dispatch_id=dispatch.pk)
    dispatch.refresh_from_db()
    assert dispatch.tolerated["render_error"] == 100
    drain()
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.PAUSED
    assert reasons(dispatch) == {"render_error": 200}
    resume_dispatch(dispatch_id=dispatch.pk)
    drain()
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.FINISHED
    assert states(dispatch) == {"failed": 250, "sent": 1}
    assert_counts_are_the_ledger(dispatch)


def test_ninety_nine_do_not() -> None:
    dispatch = unfillable(99)
    drain()
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.FINISHED
    assert states(dispatch) == {"failed": 99, "sent": 1}


def answered(
    *, sent: int, rejected: int, message_class: str = "promotional", complaints: int = 0
) -> Dispatch:
    """Return a running dispatch of which so much is answered, with more to come."""
    dispatch = dispatch_to(
        make_recipients("auto", "auto") if message_class == "transactional" else None,
        message_class=message_class,
    )
    if message_class == "promotional":
        make_recipients("auto", "auto")
    plan_dispatch(dispatch_id=dispatch.pk)
    Batch.objects.create(
        dispatch=dispatch,
        channel="email",
        priority=1,
        lo=9_000_000,
        hi=9_000_000 + sent + rejected - 1,
        cursor=9_000_000 + sent + rejected - 1,
        open_to=9_000_000,
        not_before=dispatch.send_at,
        state=Batch.State.DONE,
        sent=sent,
        failed=rejected,
        reasons={"rejected": rejected} if rejected else {},
    )
    DeliveryEvent.objects.bulk_create(
        DeliveryEvent(
            at=timezone.now(), dispatch_id=dispatch.pk, delivery_id=9_000_000 + n // 2, kind="complained"
        )
        for n in range(2 * complaints)
    )
    return dispatch


@pytest.mark.parametrize(
    ("numbers", "paused"),
    [
        ({"sent": 475, "rejected": 25}, True),
        ({"sent": 476, "rejected": 24}, False),
        ({"sent": 400, "rejected": 99}, False),
        ({"sent": 475, "rejected": 25, "message_class": "transactional"}, False),
        ({"sent": 1000, "rejected": 0, "complaints": 3}, True),
        ({"sent": 1000, "rejected": 0, "complaints": 2}, False),
    ],
)
def test_too_many_refusals_or_complaints_pause_promotions(numbers: dict[str, Any], paused: bool) -> None:
    dispatch = answered(**numbers)
    finish_dispatches()
    dispatch.refresh_from_db()
    assert (dispatch.state == Dispatch.State.PAUSED) is paused


def test_resuming_accepts_the_share_so_far() -> None:
    dispatch = answered(sent=475, rejected=25)
    assert pause_failing([dispatch.pk]) == 1
    assert pause_failing([dispatch.pk]) == 0
    resume_dispatch(dispatch_id=dispatch.pk)
    dispatch.refresh_from_db()
    assert dispatch.tolerated == {
        "render_error": 0,
        "poison": 0,
        "bounces": 25,
        "complaints": 0,
        "answers": 500,
    }
    Batch.objects.filter(dispatch=dispatch, state=2).update(sent=500, failed=49, reasons={"rejected": 49})
    assert pause_failing([dispatch.pk]) == 0
    Batch.objects.filter(dispatch=dispatch, state=2).update(sent=950, failed=50, reasons={"rejected": 50})
    assert pause_failing([dispatch.pk]) == 1


def test_a_dispatch_with_nothing_left_to_send_is_not_paused() -> None:
    dispatch = answered(sent=475, rejected=25)
    Batch.objects.filter(dispatch=dispatch).update(state=Batch.State.DONE)
    assert pause_failing([dispatch.pk]) == 0
