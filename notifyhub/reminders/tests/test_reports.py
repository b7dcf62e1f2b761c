"""What a rule's report counts, and what the schedules' dashboard says."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from notifyhub.customers.models import Order
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import ProviderAccount, TemplateVersion
from notifyhub.messaging.services.templates import archive_template
from notifyhub.reminders.models import Occasion, Reminder, ReminderRule
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.services.reports import Share, compare, find_concerns, report_rule
from notifyhub.reminders.tests.factories import make_order, make_rule, spec
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db
SCHEDULES = "admin:reminders_reminderrule_schedules"


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user(roles.MARKETING_EDITOR))
    return client


def _in(**span: float) -> Any:
    return timezone.now() + timedelta(**span)


def _lived() -> ReminderRule:
    """Return a rule of two steps: one order was reminded and paid, one without a phone is still open."""
    paid = make_order(make_customer(), due_at=_in(minutes=119), amount_due=10)
    make_order(make_customer(phone=None), due_at=_in(minutes=119), amount_due=10)
    rule = make_rule(spec(2, "hours"), spec(1, "hours"))
    call_command("run_tick_once")
    call_command("run_worker_once")
    Order.objects.filter(pk=paid.pk).update(state="paid", amount_paid=10, told_at=timezone.now())
    ReminderRule.objects.update(planned_at=None)
    plan_reminders()
    return rule


def test_the_sums_of_each_step_close_and_the_done_are_counted() -> None:
    rule = _lived()
    report = report_rule(rule=rule, now=_in(hours=3))
    first, second = report.steps
    assert (first.due, first.sent, first.delivered) == (2, 2, 1)
    assert (second.due, second.stopped, second.open) == (2, 1, 1)
    assert second.reasons == {("stopped", "order_state"): 1} or ("stopped", "paid") in second.reasons
    assert (report.occasions, report.reminded.done) == (2, 1)
    assert (first.done_before, second.done_before) == (0, 1)
    assert report.difference is None


def test_the_page_and_the_file_say_the_same(editor: Client) -> None:
    rule = _lived()
    Reminder.objects.update(due_at=_in(minutes=-1))
    page = editor.get(reverse("admin:reminders_reminderrule_report", args=[rule.pk]), {"days": "7"})
    assert "Overdue share" in page.content.decode()
    assert "Without a holdout" in page.content.decode()
    file = editor.get(reverse("admin:reminders_reminderrule_report_export", args=[rule.pk]))
    lines = file.content.decode("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert lines[1].startswith('"2 hours before","2","2"')
    for query in ({"days": "x"}, {"version": "1"}, {"version": "99"}):
        url = reverse("admin:reminders_reminderrule_report", args=[rule.pk])
        assert editor.get(url, query).status_code == 200


def test_a_holdout_is_compared_with_an_interval(editor: Client) -> None:
    rule = _lived()
    Occasion.objects.filter(done_at=None).update(held_out=True)
    page = editor.get(reverse("admin:reminders_reminderrule_report", args=[rule.pk]))
    assert "Reminded minus held out" in page.content.decode()
    assert "may be chance" in page.content.decode()


def test_a_rule_that_did_nothing_says_what_its_report_is_for(editor: Client) -> None:
    page = editor.get(reverse("admin:reminders_reminderrule_report", args=[make_rule().pk]))
    assert "Nothing has happened by this rule yet" in page.content.decode()


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000))
def test_an_interval_holds_its_share_and_turns_with_the_sign(a: int, b: int, c: int, d: int) -> None:
    first, second = Share(done=min(a, b), all=max(a, b)), Share(done=min(c, d), all=max(c, d))
    low, high = first.bounds
    assert 0 <= low <= high <= 1
    found, turned = compare(first, second), compare(second, first)
    if found is None or turned is None:
        assert not (first.all and second.all)
        return
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9
    assert found.low == pytest.approx(-turned.high)
    assert found.high == pytest.approx(-turned.low)


def test_the_dashboard_names_what_needs_a_person(editor: Client) -> None:
    unwritten = make_rule(spec(3), name="Unwritten")
    TemplateVersion.objects.update(state="retired")
    old = make_rule(spec(3), name="Idle")
    ProviderAccount.objects.filter(channel="sms").update(active=False)
    said = [(one.rule, one.words) for one in find_concerns()]
    assert (
        unwritten,
        f"The text “{unwritten.live.steps.get().template}” is not published: its step waits.",
    ) in said
    assert (old, "No provider account sends by SMS.") in said
    assert any(rule == old and "Nothing has begun" in words for rule, words in said)
    text = editor.get(reverse(SCHEDULES)).content.decode()
    assert "Nothing has begun by it for 7 days" in text
    archive_template(template_id=old.live.steps.get().template_id)
    assert editor.get(reverse(SCHEDULES)).status_code == 200


def test_the_dashboard_shows_what_is_late_and_why_something_did_not_go(editor: Client) -> None:
    rule = _lived()
    Reminder.objects.filter(state="planned").update(due_at=_in(minutes=-10))
    page = editor.get(reverse(SCHEDULES))
    assert page.context["late_count"] == 1
    assert "1 reminder is late" in page.content.decode() or page.context["slow"]
    assert "Late now" in page.content.decode()
    days = editor.get(reverse("admin:reminders_reminderrule_all_days"))
    assert rule.name in days.content.decode() or days.context["total"] == 0


def test_an_empty_house_is_told_how_to_begin(editor: Client) -> None:
    for name in ("schedules", "changelist"):
        text = editor.get(reverse(f"admin:reminders_reminderrule_{name}")).content.decode()
        assert "Start from an example" in text
