"""The pages of a run and of a dispatch name the one thing that sets the rate."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import AccountGate, Dispatch, Halt, ProviderAccount
from notifyhub.messaging.services.dispatches import progress, what_holds, what_limits
from notifyhub.messaging.tests.kit.limits import limit, night
from notifyhub.messaging.tests.kit.sending import dispatch_to, make_recipients, memory_account, work
from notifyhub.staff.models import NodeBeat
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> ProviderAccount:
    return memory_account(name="Slow mail", rate_per_second=2)


@pytest.fixture(autouse=True)
def _worker(db: None) -> None:
    NodeBeat.objects.create(name="bulk@one", kind="worker", queues="realtime,bulk", at=timezone.now())


def running(**fields: object) -> Dispatch:
    make_recipients(*["auto"] * 6)
    dispatch = dispatch_to(**fields)
    plan_dispatch(dispatch_id=dispatch.pk)
    return dispatch


def said(dispatch: Dispatch) -> str:
    dispatch.refresh_from_db()
    return what_limits(dispatch, progress(dispatch_id=dispatch.pk), what_holds(dispatch))


@pytest.mark.usefixtures("account")
def test_nothing_is_named_before_anything_limits() -> None:
    assert said(running()) == ""


def test_an_account_that_gave_all_it_may_is_named_with_its_rate(
    client: Client, account: ProviderAccount
) -> None:
    dispatch = running()
    work(window=4, seconds=0)
    assert said(dispatch) == "Limited by the account Slow mail: 2 a second."
    Dispatch.objects.filter(pk=dispatch.pk).update(rate=0.5)
    assert said(dispatch) == "Limited by the account Slow mail: 2 a second, shared with other sendings."
    client.force_login(make_user("operations"))
    page = client.get(reverse("admin:messaging_dispatch_change", args=[dispatch.pk])).content.decode()
    assert "Limited by the account Slow mail: 2 a second" in page
    # A bucket that nobody emptied lately limits nothing.
    AccountGate.objects.filter(account=account).update(refilled_at=timezone.now() - timedelta(minutes=1))
    assert said(dispatch) == ""


def test_equal_accounts_are_named_together(account: ProviderAccount) -> None:
    other = memory_account(name="Other mail", rate_per_second=3, priority=account.priority)
    for one in (account, other):
        AccountGate.objects.update_or_create(account=one, defaults={"tokens": 0})
    assert said(running()) == "Limited by the accounts Slow mail, Other mail together: 5 a second."


def test_its_own_rate_is_named_unless_the_account_is_slower(account: ProviderAccount) -> None:
    dispatch = running(rate_per_second=1)
    assert said(dispatch) == "Limited by its own rate: 1 a second."
    Dispatch.objects.filter(pk=dispatch.pk).update(rate_per_second=50)
    AccountGate.objects.update_or_create(
        account=ProviderAccount.objects.get(name="Slow mail"), defaults={"tokens": 0}
    )
    assert said(dispatch) == "Limited by the account Slow mail: 2 a second."


@pytest.mark.usefixtures("account")
def test_workers_that_are_gone_or_drain_come_first() -> None:
    dispatch = running()
    Halt.objects.create(scope="worker", value="bulk@one", reason="Update")
    assert said(dispatch) == "All its workers are draining."
    NodeBeat.objects.update(at=timezone.now() - timedelta(minutes=5))
    assert said(dispatch) == "No worker serves it now."


@pytest.mark.usefixtures("account")
def test_an_order_and_the_night_are_named_too() -> None:
    dispatch = running()
    Halt.objects.create(scope="channel", value="email", reason="Wrong price")
    assert said(dispatch) == "Nothing is sent by Email."
    Halt.objects.all().delete()
    limit(**night())
    asleep = running()
    assert said(asleep) == "Waits for the end of quiet hours."


@pytest.mark.usefixtures("account")
def test_it_costs_the_same_for_many_accounts_and_batches() -> None:
    dispatch = running()
    with CaptureQueriesContext(connection) as few:
        said(dispatch)
    for number in range(4):
        memory_account(name=f"More {number}")
        NodeBeat.objects.create(name=f"b@{number}", kind="worker", queues="bulk", at=timezone.now())
    with CaptureQueriesContext(connection) as many:
        said(dispatch)
    assert len(many) == len(few)
