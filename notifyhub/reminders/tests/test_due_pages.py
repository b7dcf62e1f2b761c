"""What is next and what was sent, as staff see it."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.core.registry import dashboard_cards, origins, personal_data, planned_sends
from notifyhub.customers.models import Order
from notifyhub.customers.tests.factories import make_customer
from notifyhub.reminders.models import Occasion, Reminder, ReminderRule
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.tests.factories import make_order, make_rule, make_text, spec
from notifyhub.reminders.tests.pages import entries
from notifyhub.staff import roles
from notifyhub.staff.models import BusinessCalendar, CalendarDay
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

LIST = "admin:reminders_reminder_changelist"


@pytest.fixture
def agent(client: Client) -> Client:
    client.force_login(make_user(roles.AGENT))
    return client


def _in(**span: float) -> Any:
    return timezone.now() + timedelta(**span)


def _send_one() -> Reminder:
    """Return a reminder that was delivered, with its next step planned."""
    make_order(make_customer(name="Li Na"), due_at=_in(minutes=119), number="H2611-4471")
    make_rule(spec(2, "hours"), spec(1, side="after"))
    call_command("run_tick_once")
    call_command("run_worker_once")
    return Reminder.objects.get(step=1)


def _try(client: Client, rule: ReminderRule, **entries: Any) -> Any:
    return client.post(reverse("admin:reminders_reminderrule_try", args=[rule.pk]), entries)


def _words(page: Any) -> list[str]:
    return [outcome.words for outcome in page.context["outcomes"]]


def test_the_list_shows_what_is_next_and_each_tab_its_own(agent: Client) -> None:
    sent = _send_one()
    following = Reminder.objects.get(step=2)
    page = agent.get(reverse(LIST))
    assert [row.pk for row in page.context["cl"].result_list] == [following.pk]
    page = agent.get(reverse(LIST), {"show": "sent"})
    assert [row.pk for row in page.context["cl"].result_list] == [sent.pk]
    assert "Delivered" in page.content.decode()
    for show in ("stopped", "skipped", "nonsense"):
        assert agent.get(reverse(LIST), {"show": show}).status_code == 200


def test_a_search_finds_what_was_sent_as_well_as_what_is_next(agent: Client) -> None:
    sent = _send_one()
    following = Reminder.objects.get(step=2)
    make_order(make_customer(), due_at=_in(hours=30), number="H2611-4472")
    call_command("run_tick_once")
    page = agent.get(reverse(LIST), {"q": "H2611-4471"})
    assert {row.pk for row in page.context["cl"].result_list} == {sent.pk, following.pk}
    assert [tab["label"] for tab in page.context["tabs"] if tab["on"]] == ["All"]
    page = agent.get(reverse(LIST), {"q": "H2611-4471", "show": "sent"})
    assert [row.pk for row in page.context["cl"].result_list] == [sent.pk]
    for nothing in ("", "  ", "\x00"):
        tabs = agent.get(reverse(LIST), {"q": nothing}).context["tabs"]
        assert [tab["label"] for tab in tabs if tab["on"]] == ["Coming up"]
        assert len(tabs) == 4


@pytest.mark.parametrize("term", ["H2611-4471", "order:H2611-4471", "E-SEARCH"])
def test_the_list_finds_by_order_or_customer_number(agent: Client, term: str) -> None:
    make_order(make_customer(external_id="E-SEARCH"), due_at=_in(days=2), number="H2611-4471")
    make_order(make_customer(), due_at=_in(days=2))
    make_rule(spec(1))
    plan_reminders()
    page = agent.get(reverse(LIST), {"q": term})
    assert [row.subject for row in page.context["cl"].result_list] == ["H2611-4471"]


def test_a_sent_reminders_page_names_its_message_and_what_comes_next(agent: Client) -> None:
    sent = _send_one()
    page = agent.get(reverse("admin:reminders_reminder_change", args=[sent.pk]))
    text = page.content.decode()
    assert "SMS: delivered" in text
    assert "Handed over" in text
    assert "by version 1" in text
    assert f"{sent.dispatch_id}-" in text
    assert "Next about this" in text
    assert page.context["after"]["reminder"].step == 2


def test_a_stopped_reminders_page_says_why(agent: Client) -> None:
    make_order(make_customer(), due_at=_in(days=2))
    make_rule(spec(1))
    plan_reminders()
    Order.objects.update(state="paid")
    ReminderRule.objects.update(planned_at=None)
    plan_reminders()
    text = agent.get(
        reverse("admin:reminders_reminder_change", args=[Reminder.objects.get().pk])
    ).content.decode()
    assert "The order no longer needs it (Paid)" in text
    assert "The platform said so" in text
    assert "Nothing more is planned" in text


def test_the_list_asks_as_often_for_many_rows_as_for_one(agent: Client) -> None:
    _send_one()

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            agent.get(reverse(LIST))
        return len(found)

    queries()
    before = queries()
    for _ in range(10):
        make_order(make_customer(), due_at=_in(days=2))
    plan_reminders()
    assert queries() == before


@pytest.mark.parametrize("role", [roles.AGENT, roles.ANALYST, roles.MARKETING_EDITOR])
def test_nobody_writes_due_rows_by_hand(client: Client, role: str) -> None:
    client.force_login(make_user(role))
    assert client.get(reverse("admin:reminders_reminder_add")).status_code == 403


def test_the_customers_page_shows_what_is_coming(agent: Client) -> None:
    customer = make_customer()
    make_order(customer, due_at=_in(days=2))
    make_rule(spec(1))
    url = reverse("admin:customers_customer_panel", args=[customer.pk, "coming"])
    assert "No reminder is planned" in agent.get(url).content.decode()
    plan_reminders()
    assert "Bill due" in agent.get(url).content.decode()


def test_the_dashboards_card_counts_the_day(agent: Client) -> None:
    _send_one()
    make_order(make_customer(), due_at=_in(hours=5))
    ReminderRule.objects.update(planned_at=None)
    plan_reminders()
    text = agent.get(reverse("admin:console_card", args=["reminders"])).content.decode()
    assert "Sent today" in text
    assert "by the hour" in text
    assert "could not be loaded" not in text


def test_on_the_operations_board_reminders_come_after_the_health() -> None:
    names = [name for name, card in dashboard_cards.items() if "operations" in card.boards]
    assert names.index("operations") < names.index("reminders_today")


def test_other_apps_can_name_a_rule_and_see_what_is_planned() -> None:
    make_order(make_customer(), due_at=_in(days=2))
    rule = make_rule(spec(1))
    plan_reminders()
    assert origins.get("reminder").resolve([str(rule.pk), "x"])[str(rule.pk)][0] == "Bill due"
    assert [line[1:3] for line in planned_sends.get("reminders")(_in(), _in(days=7))] == [("Bill due", 1)]


def test_a_persons_copy_has_their_reminders_and_erasure_takes_them() -> None:
    customer = make_customer()
    make_order(customer, due_at=_in(days=2))
    make_rule(spec(1))
    plan_reminders()
    road = personal_data.get("reminders.Reminder")
    assert road.export(customer.pk)[0]["state"] == "planned"
    assert road.erase(customer.pk) == 1


def test_a_trial_says_when_and_by_which_channel_and_writes_nothing(agent: Client) -> None:
    customer = make_customer(phone="13800138000")
    order = make_order(customer, due_at=_in(days=4))
    page = _try(agent, make_rule(spec(2, "hours")), q="138 0013 8000")
    assert [outcome.due_at for outcome in page.context["outcomes"]] == [order.due_at - timedelta(hours=2)]
    assert "Sent then" in _words(page)[0]
    assert "SMS" in _words(page)[0]
    assert not Reminder.objects.exists()


def test_a_trial_takes_what_is_typed_and_not_saved(client: Client) -> None:
    client.force_login(make_user(roles.MARKETING_EDITOR))
    customer = make_customer()
    order = make_order(customer, due_at=_in(days=9))
    typed = entries({"amount": 5, "unit": "hours", "template": make_text().pk}, customer=customer.pk)
    page = client.post(reverse("admin:reminders_reminderrule_try_new"), typed)
    assert [outcome.due_at for outcome in page.context["outcomes"]] == [order.due_at - timedelta(hours=5)]
    unfinished = client.post(reverse("admin:reminders_reminderrule_try_new"), {**typed, "name": ""})
    assert "Complete the rule first" in unfinished.content.decode()
    assert not Reminder.objects.exists()
    assert not ReminderRule.objects.exists()


def test_the_calendar_takes_what_is_typed_and_not_saved(client: Client) -> None:
    client.force_login(make_user(roles.MARKETING_EDITOR))
    for _ in range(3):
        make_order(make_customer(), due_at=_in(days=9))
    typed = entries({"amount": 5, "unit": "hours", "template": make_text().pk})
    page = client.post(reverse("admin:reminders_reminderrule_days_new"), typed)
    assert page.context["total"] == 3
    assert [cell["total"] for cell in page.context["days"]] == [3]
    empty = client.post(reverse("admin:reminders_reminderrule_days_new"), {})
    assert "Complete the rule first" in empty.content.decode()


def test_a_trial_asks_back_when_several_customers_fit_or_none(agent: Client) -> None:
    rule = make_rule()
    for _ in range(12):
        make_customer(name="Wang Wei")
    assert len(_try(agent, rule, q="Wang").context["found"]) == 8
    for typed in ({"q": "nobody"}, {"q": ""}, {}, {"customer": "x"}, {"customer": "9" * 30}, {"q": "\x00"}):
        assert "No customer fits" in _try(agent, rule, **typed).content.decode()


def test_a_trial_needs_the_right_to_see_customers(client: Client) -> None:
    rule = make_rule()
    client.force_login(make_user(roles.DEPARTMENT_MEMBER))
    assert _try(client, rule, q="1").status_code == 403


def test_a_row_moved_off_a_holiday_says_so(agent: Client) -> None:
    calendar = BusinessCalendar.objects.create(key="cn", name="China", weekdays=[1, 2, 3, 4, 5, 6, 7])
    zone = ZoneInfo("Asia/Shanghai")
    due = (_in(days=4)).astimezone(zone).replace(hour=12)
    wanted = due.date() - timedelta(days=1)
    CalendarDay.objects.create(calendar=calendar, day=wanted, works=False, name="Spring Festival")
    make_order(make_customer(time_zone="Asia/Shanghai"), due_at=due)
    make_rule(spec(1), working_days=True, calendar=calendar)
    plan_reminders()
    reminder = Reminder.objects.get()
    assert reminder.wanted_at is not None
    assert reminder.due_at > reminder.wanted_at
    page = agent.get(reverse("admin:reminders_reminder_change", args=[reminder.pk]))
    assert "a day off (Spring Festival)" in page.content.decode()
    history = [line["text"] for line in page.context["history"]]
    planned = history.index("This reminder was planned")
    assert history[planned + 1].startswith("Moved from ")
    assert history[planned + 1].endswith("a day off (Spring Festival).")


def test_a_row_kept_back_by_consent_says_so(agent: Client) -> None:
    make_order(make_customer(phone=None), due_at=_in(minutes=119))
    make_rule(spec(2, "hours"))
    call_command("run_tick_once")
    call_command("run_worker_once")
    reminder = Reminder.objects.get()
    text = agent.get(reverse("admin:reminders_reminder_change", args=[reminder.pk])).content.decode()
    assert "SMS: Skipped, No contact point" in text


def test_a_held_out_row_and_a_late_one_say_so(agent: Client) -> None:
    make_order(make_customer(), due_at=_in(days=2))
    make_rule(spec(1))
    plan_reminders()
    Occasion.objects.update(held_out=True)
    url = reverse("admin:reminders_reminder_change", args=[Reminder.objects.get().pk])
    assert "this customer is held out" in agent.get(url).content.decode()
    Reminder.objects.update(state="skipped", reason="late", settled_at=_in())
    assert "Too late: past its grace period" in agent.get(url).content.decode()


@pytest.mark.parametrize(
    ("state", "reason", "detail", "said"),
    [
        ("stopped", "event", "arrangement_agreed", "has happened (Payment arrangement agreed)"),
        ("stopped", "newer", "order_delivered", "has replaced it (Order delivered)"),
        ("stopped", "rule_off", "paused", "(Paused)"),
        ("skipped", "condition", "event_within order_paid 24", "Event: Order paid, within hours: 24"),
        ("skipped", "customer_max", "3 / 30", "at most 3 within 30 days"),
        ("skipped", "subject_gap", "48", "at least 48 hours between two"),
        ("skipped", "late", "", "it may go up to 12 hours late"),
    ],
)
def test_a_row_says_why_it_did_not_go_without_codes(
    agent: Client, state: str, reason: str, detail: str, said: str
) -> None:
    make_order(make_customer(), due_at=_in(days=5))
    make_rule()
    plan_reminders()
    row = Reminder.objects.get()
    Reminder.objects.update(state=state, reason=reason, detail=detail, settled_at=timezone.now())
    page = agent.get(reverse("admin:reminders_reminder_change", args=[row.pk]))
    assert said in " ".join([page.context["first"], *page.context["sentences"]])
