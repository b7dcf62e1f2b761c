"""Rules as staff make, change and switch them on the guided page."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.customers.models import EventName, EventProperty
from notifyhub.customers.tests.factories import make_customer
from notifyhub.messaging.models import Template
from notifyhub.reminders.models import ReminderRule, RuleVersion
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.tests.factories import change_rule, make_order, make_rule, make_text, spec
from notifyhub.reminders.tests.pages import entries, judged
from notifyhub.staff import roles
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

ADD = "admin:reminders_reminderrule_add"
CHANGE = "admin:reminders_reminderrule_change"
MONEY = ["paid", "completed", "cancelled", "refund_asked", "refunded", "disputed"]


@pytest.fixture
def editor(client: Client) -> Client:
    client.force_login(make_user(roles.MARKETING_EDITOR))
    return client


def _switch(client: Client, rule: ReminderRule, verb: str) -> str:
    url = reverse("admin:reminders_reminderrule_switch", args=[rule.pk, verb])
    answer = client.post(url, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def test_a_new_rule_about_money_comes_with_the_stops_of_money(editor: Client) -> None:
    page = editor.get(reverse(ADD))
    assert page.context["form"].initial["stop_states"] == MONEY
    assert "arrangement_agreed" in page.content.decode()
    assert not page.context["money"]


def test_the_judged_rule_is_made_from_the_page_alone(editor: Client) -> None:
    answer = editor.post(reverse(ADD), judged(make_text("push"), make_text("sms")))
    rule = ReminderRule.objects.select_related("live").get()
    live = rule.live
    assert live is not None
    assert answer.url == reverse(CHANGE, args=[rule.pk])
    assert rule.state == "draft"
    assert [str(step) for step in live.steps.all()] == [
        "3 days before, at 10:00",
        "1 day before, at 10:00",
        "1 day after, at 10:00",
    ]
    assert [step.chain[0]["channel"] for step in live.steps.all()] == ["push", "sms", "sms"]
    assert (live.stop_states, live.stop_paid, live.stop_held) == (MONEY, True, True)
    assert (live.send_from, live.send_until, live.working_days) == (time(9), time(21), True)
    assert live.stop_events == ["arrangement_agreed"]
    assert rule.owner is not None
    assert rule.owner.username == roles.MARKETING_EDITOR
    assert AuditEntry.objects.filter(verb="create_reminder_rule", object_id=str(rule.pk)).exists()
    words = editor.get(answer.url).content.decode()
    assert "Between 09:00 and 21:00" in words
    assert "Voice calls are none of them" in words


def test_a_rule_on_an_event_keeps_filters_chain_waits_repeats_and_skips(editor: Client) -> None:
    text = make_text("push", "sms")
    step = {
        "amount": 1,
        "unit": "hours",
        "side": "after",
        "channel_1": "push",
        "channel_2": "sms",
        "after_2": "7200",
        "until_2": "read",
        "template": text.pk,
        "repeat_days": 2,
        "repeat_max": 3,
    }
    posted = entries(
        step,
        start="event",
        event_name="cart_abandoned",
        subject_property="cart_id",
        stop_states=[],
        filters=[{"property": "cart_value", "operator": "at_least", "value": "100"}],
        skips=[{"kind": "event_within", "p_name": "order_placed", "p_hours": "24"}],
    )
    assert editor.post(reverse(ADD), posted).status_code == 302
    live = RuleVersion.objects.get()
    assert live.event_filters == [{"property": "cart_value", "operator": "at_least", "value": "100"}]
    assert live.skips == [{"kind": "event_within", "name": "order_placed", "hours": 24}]
    (saved,) = live.steps.all()
    assert saved.chain == [{"channel": "push", "wait": 7200, "until": "read"}, {"channel": "sms"}]
    assert (saved.repeat_days, saved.repeat_max) == (2, 3)
    page = editor.get(reverse(CHANGE, args=[live.rule_id])).content.decode()
    assert "unless read within 2 h, by SMS" in page
    assert 'value="cart_value"' in page


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("start", "segment", "Select a valid choice"),
        ("order_date", "moon", "Select a valid choice"),
        ("name", "", "This field is required"),
        ("grace_hours", "0", "greater than or equal to 1"),
        ("holdout", "99", "less than or equal to 50"),
        ("stop_events", "Order Paid!", "like order_paid"),
        ("send_until", "25:99", "Enter a valid time"),
        ("step-0-amount", "", "This field is required"),
        ("step-0-template", "", "This field is required"),
        ("step-0-amount", "99999", "less than or equal to 9999"),
        ("step-0-channel_2", "sms", "named twice"),
        ("step-0-repeat_max", "3", "after how many days"),
        ("step-TOTAL_FORMS", "0", "Add at least one step"),
        ("step-TOTAL_FORMS", "9999", "at most 12"),
        ("skip-TOTAL_FORMS", "x", "ManagementForm"),
    ],
)
def test_what_is_wrong_is_said_in_place_and_the_entries_stay(
    editor: Client, field: str, value: str, sentence: str
) -> None:
    posted = entries({"template": make_text().pk}, night="on", name="My long work")
    page = editor.post(reverse(ADD), {**posted, field: value})
    text = page.content.decode()
    assert page.status_code == 422, text
    assert sentence in text
    assert field == "name" or "My long work" in text
    assert not ReminderRule.objects.exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"start": "customer", "profile_field": ""}, "Name the profile field"),
        ({"start": "event", "event_name": "Not One"}, "like order_paid"),
        ({"start": "event", "event_name": "order_paid", "stop_events": "order_paid"}, "cannot stop it"),
        ({"start": "event", "event_name": "x", "subject_property": "order"}, "taken already"),
    ],
)
def test_a_refusal_of_the_service_stands_at_its_field(
    editor: Client, more: dict[str, str], sentence: str
) -> None:
    page = editor.post(reverse(ADD), entries({"template": make_text().pk}, **more))
    assert page.status_code == 422
    assert sentence in page.content.decode()


def test_a_wrong_row_is_named_in_its_row(editor: Client) -> None:
    posted = entries(
        {"template": make_text().pk},
        start="event",
        event_name="cart_abandoned",
        filters=[{"property": "v", "operator": "at_least", "value": "many"}],
        skips=[{"kind": "event_within", "p_name": "", "p_hours": "24"}],
    )
    page = editor.post(reverse(ADD), posted)
    assert page.status_code == 422
    assert "Give a number" in str(page.context["filters"].forms[0]["value"].errors)


def test_rows_are_added_moved_and_removed_without_saving_or_losing_anything(editor: Client) -> None:
    template = make_text()
    posted = entries({"amount": 3, "template": template.pk}, {"amount": "x"}, name="Kept")

    def after(act: str) -> Any:
        page = editor.post(reverse(ADD), {**posted, "act": act})
        assert page.status_code == 200
        assert 'value="Kept"' in page.content.decode()
        return [row["amount"].value() for row in page.context["steps"]]

    assert after("step:add") == ["3", "x", "1"]
    assert after("step:1:up") == ["x", "3"]
    assert after("step:0:down") == ["x", "3"]
    assert after("step:0:remove") == ["x"]
    assert after("step:7:remove") == after("step:0:up") == after("nonsense") == ["3", "x"]
    page = editor.post(reverse(ADD), {**posted, "act": "filter:add"})
    assert len(page.context["filters"].forms) == 1
    assert not ReminderRule.objects.exists()


def test_another_step_is_never_the_same_as_the_one_before(editor: Client) -> None:
    posted = entries({"amount": 3, "template": make_text().pk}, act="step:add")
    shown = []
    for _press in range(4):
        steps = editor.post(reverse(ADD), posted).context["steps"]
        rows = [{name: row[name].value() or "" for name in row.fields} for row in steps]
        shown = [(row["amount"], row["side"]) for row in rows]
        posted = entries(*rows, act="step:add")
    assert shown == [("3", "before"), ("1", "before"), ("1", "after"), ("3", "after"), ("6", "after")]


def test_another_start_brings_its_stops_unless_somebody_chose_their_own(editor: Client) -> None:
    posted = entries({"template": make_text().pk}, act="start", order_date="starts_at")
    page = editor.post(reverse(ADD), posted)
    assert page.context["form"]["stop_states"].value() == ["completed", "cancelled", "refunded"]
    assert not page.context["form"]["stop_paid"].value()

    own = editor.post(reverse(ADD), {**posted, "stop_states": ["cancelled"]})
    assert own.context["form"]["stop_states"].value() == ["cancelled"]


def test_a_money_rule_without_its_stops_is_warned_about(editor: Client) -> None:
    posted = entries({"template": make_text().pk})
    del posted["stop_paid"]
    page = editor.post(reverse("admin:reminders_reminderrule_words_new"), posted)
    assert "asks for money" in page.content.decode()


def test_the_words_say_what_is_typed_and_what_is_missing(editor: Client) -> None:
    url = reverse("admin:reminders_reminderrule_words_new")
    text = editor.post(url, entries({"amount": 2}, name="")).content.decode()
    assert "2 days before, at 10:00, by SMS: “no text chosen yet”" in text
    assert "Before it can be saved" in text
    good = editor.post(url, entries({"template": make_text().pk})).content.decode()
    assert "Before it can be saved" not in good
    assert editor.post(url, {}).status_code == 200
    assert editor.get(url).status_code == 405


def test_a_stale_page_keeps_the_text_says_what_was_saved_and_may_then_save(editor: Client) -> None:
    rule = make_rule(spec(3), active=False)
    change_rule(rule, name="Theirs", grace_hours=99)
    line = {"number": 1, "template": make_text().pk}
    url = reverse(CHANGE, args=[rule.pk])
    page = editor.post(url, entries(line, name="Mine", version=rule.version))
    text = page.content.decode()
    assert page.status_code == 409
    assert "Theirs" in text
    assert "Up to 99 hours late" in text
    assert 'value="Mine"' in text
    now = page.context["version"]
    assert editor.post(url, entries(line, name="Mine", version=now)).status_code == 302
    assert ReminderRule.objects.get().name == "Mine"


@pytest.mark.parametrize("version", ["", "x", "-1", "99999999999999999999", "²"])
def test_a_version_that_is_none_is_a_conflict(editor: Client, version: str) -> None:
    rule = make_rule(spec(3))
    page = editor.post(
        reverse(CHANGE, args=[rule.pk]), entries({"template": make_text().pk}, version=version)
    )
    assert page.status_code == 409


def test_saving_what_has_begun_makes_a_version_whose_change_is_told_in_words(editor: Client) -> None:
    rule = make_rule(spec(2, "hours"))
    make_order(make_customer(), due_at=timezone.now() + timedelta(days=2))
    plan_reminders()
    step = rule.live.steps.get()
    line = {"number": 1, "amount": 4, "unit": "hours", "template": step.template_id}
    page = editor.post(reverse(CHANGE, args=[rule.pk]), entries(line, version=rule.version), follow=True)
    assert "Saved as version 2" in page.content.decode()
    versions = editor.get(reverse("admin:reminders_reminderrule_versions", args=[rule.pk])).content.decode()
    assert "4 hours before" in versions
    assert "<del>2 hours before" in versions
    assert "In force" in versions


def test_activate_pause_and_archive_say_what_they_did_and_no_more_than_may_be(editor: Client) -> None:
    rule = make_rule(active=False)
    assert "active" in _switch(editor, rule, "activate")
    assert "active already" in _switch(editor, rule, "activate")
    assert "Pause the rule before" in _switch(editor, rule, "archive")
    assert "Paused" in _switch(editor, rule, "pause")
    assert "Archived" in _switch(editor, rule, "archive")
    assert "cannot be activated" in _switch(editor, rule, "activate")
    line = {"number": 1, "template": make_text().pk}
    page = editor.post(reverse(CHANGE, args=[rule.pk]), entries(line, version=rule.version))
    assert page.status_code == 422
    assert "archived" in page.content.decode()


def test_a_rule_whose_text_cannot_be_sent_is_not_activated(editor: Client) -> None:
    draft = make_rule(spec(3, template=make_text(published=False)), active=False)
    other = make_rule(spec(3, template=make_text("email")), active=False)
    assert "Publish the template" in _switch(editor, draft, "activate")
    assert "has no text for the channels" in _switch(editor, other, "activate")
    assert set(ReminderRule.objects.values_list("state", flat=True)) == {"draft"}


def test_a_draft_leads_to_the_template_that_must_be_published_first(editor: Client) -> None:
    text = make_text(published=False)
    Template.objects.filter(pk=text.pk).update(name="<b>Bill</b> & 100%s")
    url = reverse(CHANGE, args=[make_rule(spec(3, template=text), active=False).pk])
    name = "&lt;b&gt;Bill&lt;/b&gt; &amp; 100%s"
    link = reverse("admin:messaging_template_change", args=[text.pk])
    assert f'Publish the template “<a class="nh-link" href="{link}">{name}</a>” first.' in (
        editor.get(url).content.decode()
    )
    stranger = make_user(roles.DEPARTMENT_MEMBER)
    stranger.user_permissions.add(Permission.objects.get(codename="view_reminderrule"))
    editor.force_login(stranger)
    assert f"Publish the template “{name}” first." in editor.get(url).content.decode()


def test_switches_take_no_get_and_no_unknown_verb(editor: Client) -> None:
    rule = make_rule(active=False)
    switch = "admin:reminders_reminderrule_switch"
    assert editor.get(reverse(switch, args=[rule.pk, "activate"])).status_code == 405
    assert editor.post(reverse(switch, args=[rule.pk, "eat"])).status_code == 404
    assert editor.get(reverse(CHANGE, args=[999])).status_code == 404


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_sees_and_changes_what_is_its_own(client: Client, role: str) -> None:
    rule = make_rule(active=False)
    client.force_login(make_user(role))
    reads = role in (*roles.MARKETING, *roles.SERVICE, roles.ANALYST, roles.OPERATIONS)
    writes = role in (roles.MARKETING_EDITOR, roles.SERVICE_LEAD, roles.OPERATIONS)
    for name in ("changelist", "examples", "schedules", "all_days"):
        url = reverse(f"admin:reminders_reminderrule_{name}")
        assert client.get(url).status_code == (200 if reads else 403), name
    for name in ("change", "versions", "report", "report_export"):
        url = reverse(f"admin:reminders_reminderrule_{name}", args=[rule.pk])
        assert client.get(url).status_code == (200 if reads else 403), name
    assert client.get(reverse(ADD)).status_code == (200 if writes else 403)
    url = reverse("admin:reminders_reminderrule_switch", args=[rule.pk, "activate"])
    assert client.post(url).status_code == (302 if writes else 403)
    assert client.post(reverse(CHANGE, args=[rule.pk]), {}).status_code == (422 if writes else 403)
    url = reverse("admin:reminders_reminderrule_example", args=["birthday"])
    assert client.post(url).status_code == (302 if writes else 403)


def test_known_events_and_properties_are_offered(editor: Client) -> None:
    name = EventName.objects.create(name="cart_abandoned", total=3)
    EventProperty.objects.create(event=name, key="cart_value")
    rule = make_rule(spec(1, "hours", "after"), start="event", event_name="cart_abandoned", active=False)
    page = editor.get(reverse(CHANGE, args=[rule.pk]))
    known = page.context["known"]
    # What comes stands first; what platforms commonly send is offered before it ever came.
    assert known["events"][0] == ("cart_abandoned", "Cart left behind")
    assert "order_paid" in dict(known["events"])
    assert known["properties"] == [("cart_value", "")]
    assert '<option value="order_paid" label="Order paid">' in page.content.decode()


def test_the_list_says_what_starts_a_rule_in_words_with_the_platforms_name_on_hover(editor: Client) -> None:
    make_rule(spec(1, "hours", "after"), start="event", event_name="cart_abandoned", name="Cart")
    make_rule(spec(0), start="customer", date_field="birthday", yearly=True, name="Birthday")
    make_rule(spec(1, "hours", "after"), start="event", event_name="boiler_checked", name="Boiler")
    page = editor.get(reverse("admin:reminders_reminderrule_changelist")).content.decode()
    for name, words in (
        ("cart_abandoned", "Cart left behind"),
        ("birthday", "Birthday"),
        ("boiler_checked", "boiler_checked"),
    ):
        assert f'<span title="{name}">{words}</span>' in page


def test_the_text_of_a_step_is_shown_as_its_channels_show_it(editor: Client) -> None:
    template = make_text("push", body="Pay {{ order.number }} now")
    url = reverse("admin:reminders_reminderrule_text_new")
    posted = entries({"channel_1": "push", "channel_2": "sms", "template": template.pk}, place="0")
    text = editor.post(url, posted).content.decode()
    assert "Pay ‹number› now" in text
    assert "No text for this channel yet" in text
    assert "Choose a text first" in editor.post(url, {"place": "²"}).content.decode()
    assert Template.objects.count() == 1


def _queries(client: Client, *urls: str) -> list[int]:
    found = []
    for url in urls:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        found.append(len(queries))
    return found


def test_the_pages_ask_as_often_for_many_rows_as_for_one(editor: Client) -> None:
    rule = make_rule(spec(2, "hours"))
    names = ("changelist", "examples", "schedules")
    urls = [reverse(f"admin:reminders_reminderrule_{name}") for name in names]
    names = ("change", "versions", "report")
    urls += [reverse(f"admin:reminders_reminderrule_{name}", args=[rule.pk]) for name in names]
    soon = timezone.now() + timedelta(days=2)
    make_order(make_customer(), due_at=soon)
    plan_reminders()
    _queries(editor, *urls)
    before = _queries(editor, *urls)
    for _ in range(8):
        make_order(make_customer(), due_at=soon)
        make_rule(spec(2, "hours"))
    ReminderRule.objects.update(planned_at=None)
    plan_reminders()
    assert _queries(editor, *urls) == before
