"""Rules as staff make, change and switch them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Template
from notifyhub.reminders.models import ReminderRule
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.tests.factories import make_order, make_rule, make_text, spec
from notifyhub.staff import roles
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

ADD = "admin:reminders_reminderrule_add"
CHANGE = "admin:reminders_reminderrule_change"


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user(roles.MARKETING_EDITOR))
    return client


def _entries(*steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": "Bill due",
        "anchor": "order.due_at",
        "stop_states": ["paid", "cancelled"],
        "chain_1": "push",
        "chain_2": "sms",
        "grace_hours": "12",
        "step-TOTAL_FORMS": str(len(steps)),
        "step-INITIAL_FORMS": str(len(steps)),
        **fields,
    }
    for place, step in enumerate(steps):
        blank = {
            "number": "",
            "amount": "",
            "unit": "days",
            "side": "before",
            "at_time": "10:00",
            "template": "",
        }
        data |= {f"step-{place}-{name}": str(value) for name, value in {**blank, **step}.items()}
    return data


def _switch(client: Client, rule: ReminderRule, verb: str) -> str:
    url = reverse("admin:reminders_reminderrule_switch", args=[rule.pk, verb])
    answer = client.post(url, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def test_a_new_rule_about_money_comes_with_the_stops_of_money(editor: Client) -> None:
    page = editor.get(reverse(ADD))
    assert page.context["form"].initial["stop_states"] == (
        "paid",
        "completed",
        "cancelled",
        "refund_asked",
        "refunded",
        "disputed",
    )


def test_a_rule_is_made_as_a_draft_with_its_steps_in_order(editor: Client) -> None:
    template = make_text()
    steps = [
        {"amount": 3, "template": template.pk},
        {},
        {"amount": 2, "unit": "hours", "template": template.pk},
    ]
    answer = editor.post(reverse(ADD), _entries(*steps))

    rule = ReminderRule.objects.get()
    assert answer.url == reverse(CHANGE, args=[rule.pk])
    assert (rule.state, rule.chain, rule.stop_states) == ("draft", ["push", "sms"], ["paid", "cancelled"])
    assert [str(step) for step in rule.steps.all()] == ["3 days before, at 10:00", "2 hours before"]
    assert rule.owner.username == roles.MARKETING_EDITOR
    assert AuditEntry.objects.filter(verb="create_reminder_rule", object_id=str(rule.pk)).exists()


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"anchor": "customer.date"}, "Name the profile field"),
        ({"attribute": "birthday"}, "Leave this empty"),
        ({"chain_2": "push"}, "named twice"),
        ({"anchor": "moon.full"}, "Select a valid choice"),
        ({"grace_hours": "0"}, "greater than or equal to 1"),
        ({"step-0-amount": ""}, "Say how many"),
        ({"step-0-template": ""}, "Choose the template"),
        ({"step-0-amount": "1000"}, "less than or equal to 999"),
        ({"step-0-at_time": "25:99"}, "Enter a valid time"),
        ({"step-0-amount": "", "step-0-template": ""}, "Add at least one step"),
        ({"step-TOTAL_FORMS": "9999"}, "at most 6"),
    ],
)
def test_what_is_wrong_is_said_in_place_and_the_entries_stay(
    editor: Client, entries: dict[str, str], sentence: str
) -> None:
    posted = _entries({"amount": 3, "template": make_text().pk}, name="My long work", **entries)
    page = editor.post(reverse(ADD), {**posted, **entries})
    assert page.status_code == 422
    assert sentence in page.content.decode()
    assert "My long work" in page.content.decode()
    assert not ReminderRule.objects.exists()


def test_an_archived_template_cannot_be_chosen(editor: Client) -> None:
    template = make_text()
    Template.objects.filter(pk=template.pk).update(archived_at="2026-01-01T00:00Z")
    page = editor.post(reverse(ADD), _entries({"amount": 3, "template": template.pk}))
    assert page.status_code == 422


def test_a_stale_page_keeps_the_text_says_what_was_saved_and_may_then_save(editor: Client) -> None:
    rule = make_rule(spec(3))
    step = rule.steps.get()
    line = {"number": 1, "amount": 3, "template": step.template_id}
    ReminderRule.objects.filter(pk=rule.pk).update(name="Theirs", version=7)

    url = reverse(CHANGE, args=[rule.pk])
    page = editor.post(url, _entries(line, name="Mine", version=rule.version))
    text = page.content.decode()
    assert page.status_code == 409
    assert "Theirs" in text
    assert 'value="Mine"' in text
    assert "Somebody changed this rule meanwhile" in text
    assert page.context["version"] == 7

    assert editor.post(url, _entries(line, name="Mine", version=7)).status_code == 302
    assert ReminderRule.objects.get().name == "Mine"


@pytest.mark.parametrize("version", ["", "x", "-1", "99999999999999999999", "²"])
def test_a_version_that_is_none_is_a_conflict(editor: Client, version: str) -> None:
    rule = make_rule(spec(3))
    line = {"number": 1, "amount": 3, "template": rule.steps.get().template_id}
    page = editor.post(reverse(CHANGE, args=[rule.pk]), _entries(line, version=version))
    assert page.status_code == 409


def test_steps_keep_their_numbers_when_one_before_them_goes(editor: Client) -> None:
    rule = make_rule(spec(3), spec(1))
    second = rule.steps.get(number=2)
    lines = [{"number": 1}, {"number": 2, "amount": 1, "template": second.template_id}]
    editor.post(reverse(CHANGE, args=[rule.pk]), _entries(*lines, version=rule.version))
    assert list(rule.steps.values_list("number", flat=True)) == [2]


def test_activate_pause_and_archive_say_what_they_did_and_no_more_than_may_be(editor: Client) -> None:
    rule = make_rule(active=False)
    assert "active" in _switch(editor, rule, "activate")
    assert "active already" in _switch(editor, rule, "activate")
    assert "Pause the rule before" in _switch(editor, rule, "archive")
    assert "Paused" in _switch(editor, rule, "pause")
    assert "Archived" in _switch(editor, rule, "archive")
    assert "cannot be activated" in _switch(editor, rule, "activate")

    line = {"number": 1, "amount": 3, "template": rule.steps.get().template_id}
    page = editor.post(reverse(CHANGE, args=[rule.pk]), _entries(line, version=rule.version))
    assert page.status_code == 422
    assert "archived" in page.content.decode()


def test_a_rule_whose_text_cannot_be_sent_is_not_activated(editor: Client) -> None:
    draft = make_rule(spec(3, template=make_text(published=False)), active=False)
    other = make_rule(spec(3, template=make_text("email")), active=False, chain=["sms"])
    assert "Publish the template" in _switch(editor, draft, "activate")
    assert "has no text for the channels" in _switch(editor, other, "activate")
    assert set(ReminderRule.objects.values_list("state", flat=True)) == {"draft"}


def test_switches_take_no_get_and_no_unknown_verb(editor: Client) -> None:
    rule = make_rule(active=False)
    assert (
        editor.get(reverse("admin:reminders_reminderrule_switch", args=[rule.pk, "activate"])).status_code
        == 405
    )
    assert (
        editor.post(reverse("admin:reminders_reminderrule_switch", args=[rule.pk, "eat"])).status_code == 404
    )
    assert editor.get(reverse(CHANGE, args=[999])).status_code == 404


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_sees_and_changes_what_is_its_own(client: Client, role: str) -> None:
    rule = make_rule(active=False)
    client.force_login(make_user(role))
    reads = role in (*roles.MARKETING, *roles.SERVICE, roles.ANALYST, roles.OPERATIONS)
    writes = role in (roles.MARKETING_EDITOR, roles.SERVICE_LEAD, roles.OPERATIONS)
    listing = reverse("admin:reminders_reminderrule_changelist")
    assert client.get(listing).status_code == (200 if reads else 403)
    page = client.get(reverse(CHANGE, args=[rule.pk]))
    assert page.status_code == (200 if reads else 403)
    assert client.get(reverse(ADD)).status_code == (200 if writes else 403)
    url = reverse("admin:reminders_reminderrule_switch", args=[rule.pk, "activate"])
    assert client.post(url).status_code == (302 if writes else 403)
    assert client.post(reverse(CHANGE, args=[rule.pk]), {}).status_code == (422 if writes else 403)


def _queries(client: Client, *urls: str) -> list[int]:
    found = []
    for url in urls:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        found.append(len(queries))
    return found


def test_the_list_and_the_page_ask_as_often_for_many_rows_as_for_one(editor: Client) -> None:
    rule = make_rule(spec(2, "hours"))
    urls = [reverse("admin:reminders_reminderrule_changelist"), reverse(CHANGE, args=[rule.pk])]
    soon = timezone.now() + timedelta(days=2)
    make_order(make_customer(), due_at=soon)
    plan_reminders()
    _queries(editor, *urls)
    before = _queries(editor, *urls)

    for _ in range(8):
        make_order(make_customer(), due_at=soon)
        make_rule(spec(2, "hours"))
    plan_reminders()
    assert _queries(editor, *urls) == before
