"""The whole demo in one database: loaded once, then opened by everybody."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, Run
from feedback.models import Case, CaseEvent, CaseState, Interaction, SlaClock
from feedback.models.flow import FLOW
from notifyhub.customers.demo.story import NUMBER
from notifyhub.customers.models import Customer, Hold
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.reminders.models import Reminder, ReminderRule
from notifyhub.staff.demo import PEOPLE
from notifyhub.staff.models import User

pytestmark = pytest.mark.demo

ORIGINS = ("case", "reminder", "campaign", "api")


@pytest.fixture(scope="module")
def demo(django_db_setup: Any, django_db_blocker: Any) -> Any:
    """Load the demo once for all tests of this file, and leave no row of it behind."""
    with django_db_blocker.unblock(), transaction.atomic():
        call_command("load_demo", stdout=StringIO())
        # Else the end of each test asks again for all of these foreign keys.
        connection.check_constraints()
        yield
        transaction.set_rollback(True)


@pytest.fixture
def loaded(demo: None, db: None) -> None:
    """The demo; what a test adds to it is rolled back after the test."""


def client_of(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username))
    return client


def her() -> Customer:
    return Customer.objects.get(external_id=NUMBER)


def counts() -> dict[str, int]:
    tables = (User, Customer, Campaign, Case, Interaction, Delivery, Dispatch, Reminder, ReminderRule, Hold)
    return {model.__name__: model.objects.count() for model in tables}


@pytest.mark.usefixtures("loaded")
class TestDemo:
    def test_a_second_call_changes_nothing(self) -> None:
        before = counts()
        call_command("load_demo", stdout=StringIO())
        assert counts() == before

    def test_cases_stand_in_every_state(self) -> None:
        states = set(Case.objects.values_list("state", flat=True))
        assert states == set(CaseState.values)
        assert Case.objects.filter(cycle=2).count() >= 2
        assert Case.objects.filter(state=CaseState.NEW, owner=None).count() >= 3

    def test_the_history_of_each_case_leads_to_its_state_by_legal_moves(self) -> None:
        last: dict[int, str] = {}
        for event in CaseEvent.objects.exclude(to_state="").order_by("at", "id"):
            before = last.get(event.case_id)
            assert (event.from_state or None) == before, event
            if before is not None:
                assert event.to_state in FLOW.moves[CaseState(before)], event
            last[event.case_id] = event.to_state
        assert last == dict(Case.objects.values_list("pk", "state"))

    def test_nothing_has_happened_in_the_future(self) -> None:
        now = timezone.now()
        assert not Interaction.objects.filter(at__gt=now).exists()
        assert not CaseEvent.objects.filter(at__gt=now).exists()
        assert not Delivery.objects.filter(settled_at__gt=now).exists()

    def test_clocks_run_out_soon_and_two_are_late(self) -> None:
        now = timezone.now()
        open_cases = Case.objects.open()
        assert open_cases.filter(next_due_at__gt=now, next_due_at__lt=now + timedelta(minutes=30)).exists()
        assert open_cases.filter(next_due_at__lt=now).exists()
        assert SlaClock.objects.filter(state="paused").exists()

    def test_answers_went_through_the_ledger_and_one_failed(self) -> None:
        replies = Interaction.objects.filter(kind="reply")
        assert not replies.filter(dispatch_id=None, case__customer__isnull=False).exists()
        assert replies.filter(state="delivered").count() > 50
        failed = replies.get(state="failed")
        assert Delivery.objects.get(dispatch_id=failed.dispatch_id).state == Delivery.State.BOUNCED
        assert failed.case.failed_replies == 1

    def test_serious_open_cases_hold_promotions(self) -> None:
        serious = [case for case in Case.objects.open() if case.is_serious_complaint and case.customer_id]
        assert serious
        for case in serious:
            assert Hold.objects.filter(origin_kind="case", origin_id=case.number, released_at=None).exists()

    def test_her_reminder_is_lost_and_her_case_knows_it(self) -> None:
        case = Case.objects.get(customer=her(), state=CaseState.OPEN)
        dispatch_id, delivery_id = case.delivery_ref.split("-")
        lost = Delivery.objects.get(dispatch_id=dispatch_id, pk=delivery_id)
        assert lost.state == Delivery.State.BOUNCED
        assert Case.objects.filter(customer=her()).count() >= 3

    def test_reminders_are_due_sent_and_stopped(self) -> None:
        states = set(Reminder.objects.values_list("state", flat=True))
        assert {"planned", "dispatched", "stopped"} <= states
        assert ReminderRule.objects.filter(state="active").count() >= 5
        assert ReminderRule.objects.filter(state="draft").count() == 1
        assert Reminder.objects.filter(state="stopped", reason="order_state").exists()

    def test_messages_came_from_everywhere(self) -> None:
        for origin in ORIGINS:
            assert Dispatch.objects.filter(origin_kind=origin).exists(), origin
        done = (Dispatch.State.FINISHED, Dispatch.State.CANCELLED)
        unfinished = Dispatch.objects.exclude(origin_kind="campaign").exclude(state__in=done)
        assert not unfinished.exists()

    @pytest.mark.parametrize("username", [person[0] for person in PEOPLE])
    def test_everybody_opens_their_pages(self, username: str) -> None:
        client = client_of(username)
        case = Case.objects.get(customer=her(), state=CaseState.OPEN)
        paths = [
            reverse("admin:index"),
            reverse("admin:feedback_case_changelist"),
            reverse("admin:feedback_case_change", args=[case.pk]),
            reverse("admin:customers_customer_change", args=[her().pk]),
            reverse("admin:reminders_reminderrule_change", args=[ReminderRule.objects.first().pk]),
            *(
                reverse("admin:campaigns_campaign_change", args=[pk])
                for pk in Run.objects.values_list("campaign_id", flat=True)[:2]
            ),
        ]
        for path in paths:
            response = client.get(path, follow=True)
            assert response.status_code in (200, 403), path
        assert client.get(paths[0]).status_code == 200

    def test_the_agents_desk_is_full(self) -> None:
        client = client_of("zhouning")
        page = client.get(reverse("admin:feedback_case_changelist")).content.decode()
        assert "刘婉清" in page
        assert Case.objects.open().filter(owner__username="zhouning").count() >= 8
