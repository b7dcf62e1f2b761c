"""Hours that change while messages are planned already: the batches go with them, the windows look anyway."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.customers.models import Customer
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Batch, Delivery, Dispatch, SendingPolicy
from notifyhub.messaging.services.accounts import update_account
from notifyhub.messaging.services.policies import update_policy
from notifyhub.messaging.services.retiming import Outcome
from notifyhub.messaging.tests.kit.limits import limit, night
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    drain,
    make_recipients,
    memory_account,
    states,
    work,
)
from notifyhub.staff import roles
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
def _account(db: None) -> None:
    memory_account()


def plan(**fields: object) -> Dispatch:
    dispatch = dispatch_to(**fields)
    plan_dispatch(dispatch_id=dispatch.pk)
    return dispatch


def save(message_class: str = "promotional", *, rules: object = None, **changes: object) -> Outcome:
    policy = SendingPolicy.objects.get(message_class=message_class)
    saved = update_policy(policy_id=policy.pk, changes=changes, rules=rules, version=None)  # type: ignore[arg-type]
    return saved.planned


def waiting(dispatch: Dispatch) -> tuple[datetime, str]:
    batch = Batch.objects.get(dispatch=dispatch, state=Batch.State.READY)
    return batch.not_before, batch.waits_for


def test_what_waits_goes_to_the_new_end_of_the_night_and_its_messages_with_it() -> None:
    make_recipients("auto", "auto")
    limit(**night(hours=2))
    dispatch = plan()
    later = night(hours=5)
    assert save(**later).moved == 1
    at, why = waiting(dispatch)
    assert at.astimezone(SHANGHAI).time() == later["quiet_until"]
    assert why == "quiet"
    assert set(Delivery.objects.values_list("send_at", flat=True)) == {at}
    assert AuditEntry.objects.get(verb="update_policy").detail["batches_moved"] == 1
    # The same hours once more move nothing.
    assert save(**later).moved == 0


def test_what_waited_for_hours_that_are_no_more_comes_forward_but_never_before_it_is_due() -> None:
    make_recipients("auto")
    limit(**night())
    now_due = plan()
    soon = timezone.now() + timedelta(seconds=90)
    not_due = plan(send_at=soon)
    assert save(quiet_from=None, quiet_until=None).moved == 2
    assert waiting(now_due)[0] <= timezone.now()
    assert waiting(not_due) == (soon, "")
    drain()
    assert states(now_due) == {"sent": 1}
    assert states(not_due) == {"planned": 1}
    assert_counts_are_the_ledger(now_due)


def test_what_is_due_soon_goes_out_of_new_quiet_hours() -> None:
    here, there = make_recipients("auto", "auto")
    Customer.objects.filter(pk=here.pk).update(time_zone="Asia/Shanghai")
    dispatch = plan()
    quiet = night()
    # Somebody of the batch lives where it is day: it stays, and the window puts off the others.
    Customer.objects.filter(pk=there.pk).update(time_zone="Europe/Berlin")
    assert save(**quiet).moved == 0
    drain()
    assert states(dispatch) == {"sent": 1, "planned": 1}
    Customer.objects.update(time_zone="Asia/Shanghai")
    save(quiet_from=None, quiet_until=None)
    second = plan()
    assert save(**quiet).moved >= 1
    at = Batch.objects.get(dispatch=second).not_before
    assert at.astimezone(SHANGHAI).time() == quiet["quiet_until"]


def test_a_channel_of_its_own_hours_and_other_classes_stay_where_they_are() -> None:
    memory_account("sms", name="Texts")
    make_recipients("auto")
    limit(**night())
    limit(channel="sms", **night(hours=4))
    text = plan(chain=[{"channel": "sms"}])
    mail = plan()
    assert save(**night(hours=6)).moved == 1
    assert waiting(text)[0].astimezone(SHANGHAI).time() == night(hours=4)["quiet_until"]
    assert waiting(mail)[0].astimezone(SHANGHAI).time() == night(hours=6)["quiet_until"]
    # Its own hours taken away, it keeps to those of all.
    assert save(rules={"sms": {"quiet_from": None, "quiet_until": None}}).moved == 1
    assert waiting(text)[0] == waiting(mail)[0]
    assert save("informational", **night()).moved == 0


def test_a_message_put_off_in_the_middle_of_its_batch_moves_too() -> None:
    make_recipients(*["auto"] * 4)
    dispatch = plan()
    work(window=2, seconds=0)
    limit(**night(hours=3))
    drain()
    assert states(dispatch) == {"sent": 2, "planned": 2}
    assert save(quiet_from=None, quiet_until=None).moved == 1
    drain()
    assert states(dispatch) == {"sent": 4}
    assert_counts_are_the_ledger(dispatch)


def test_what_would_expire_in_the_night_still_expires_on_time() -> None:
    make_recipients("auto")
    limit(**night())
    ends = timezone.now() + timedelta(hours=3)
    dispatch = plan(expires_at=ends)
    save(**night(hours=8))
    assert waiting(dispatch)[0] == ends


def test_an_account_that_opens_at_other_hours_moves_its_offers() -> None:
    make_recipients("auto")
    account = memory_account("sms", name="By day")
    shut = night()
    update_account(
        account_id=account.pk, version=None, open_from=shut["quiet_until"], open_until=shut["quiet_from"]
    )
    dispatch = plan(chain=[{"channel": "sms"}])
    assert waiting(dispatch)[1] == "quiet"
    update_account(account_id=account.pk, version=None, open_from=None, open_until=None)
    assert waiting(dispatch)[1] == ""
    drain()
    assert states(dispatch) == {"sent": 1}


def test_the_page_says_how_many_batches_moved(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    make_recipients("auto")
    limit(**night())
    plan()
    policy = SendingPolicy.objects.get(message_class="promotional")
    typed = {
        "channels": list(policy.channels),
        "quiet_from": "",
        "quiet_until": "",
        "cap_day": policy.cap_day or "",
        "cap_week": policy.cap_week or "",
        "duplicate_hours": policy.duplicate_hours,
        "target_seconds": policy.target_seconds,
        "expected_version": policy.version,
    }
    page = reverse("admin:messaging_sendingpolicy_change", args=[policy.pk])
    answer = client.post(page, typed, follow=True)
    assert "1 planned batch moved to the new hours." in answer.content.decode()


def test_the_number_of_statements_does_not_depend_on_how_much_is_planned() -> None:
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            save(quiet_from=None, quiet_until=None)
        limit(quiet_from=time(0), quiet_until=time(0))
        return len(asked)

    make_recipients(*["auto"] * 3)
    limit(**night())
    plan()
    one = cost()
    limit(**night())
    for _more in range(4):
        plan()
    assert cost() == one
    assert Batch.objects.filter(waits_for="quiet").count() == 0
