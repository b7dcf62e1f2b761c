"""Writing watch rules: the guided page, the examples, trying out."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Alert, WatchFinding, WatchRule
from notifyhub.customers.services.events import record_events
from notifyhub.customers.services.watch.examples import EXAMPLES
from notifyhub.customers.services.watch.rules import create_rule, read_rule
from notifyhub.customers.services.watch.words import rule_sentence
from notifyhub.customers.tests.watching import charge_twice, make_rule, tell
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_team, make_user

pytestmark = pytest.mark.django_db

ADD = "admin:customers_watchrule_add"
FORM = {
    "name": "Charged twice",
    "kind": "twice",
    "first": "order_paid, bill_paid",
    "properties": "",
    "scope": "order",
    "amount": "2",
    "unit": "hours",
    "tell_role": "operations",
}


def page(rule: WatchRule, verb: str = "") -> str:
    """Return the address of a rule's page, or of a switch."""
    if verb:
        return reverse("admin:customers_watchrule_switch", args=[rule.pk, verb])
    return reverse("admin:customers_watchrule_change", args=[rule.pk])


@pytest.fixture
def lead(client: Client) -> Client:
    client.force_login(make_user("service_lead"))
    return client


def test_a_rule_is_made_switched_on_paused_and_archived(lead: Client) -> None:
    assert lead.post(reverse(ADD), FORM).status_code == 302
    rule = WatchRule.objects.get()
    assert (rule.state, rule.first, rule.minutes) == ("draft", ["order_paid", "bill_paid"], 120)
    for verb, state in (("activate", "active"), ("pause", "paused"), ("archive", "archived")):
        lead.post(page(rule, verb))
        rule.refresh_from_db()
        assert rule.state == state
    assert "cannot do this" in lead.post(page(rule, "activate"), follow=True).content.decode()
    assert lead.post(page(rule), {**FORM, "version": rule.version}).status_code == 403
    verbs = set(AuditEntry.objects.values_list("verb", flat=True))
    assert {"create_watch_rule", "activate_watch_rule", "pause_watch_rule", "archive_watch_rule"} <= verbs


def test_a_stale_page_keeps_what_was_typed(lead: Client) -> None:
    lead.post(reverse(ADD), FORM)
    rule = WatchRule.objects.get()
    assert lead.post(page(rule), {**FORM, "amount": "3", "version": rule.version}).status_code == 302
    stale = lead.post(page(rule), {**FORM, "name": "Mine", "version": rule.version})
    assert stale.status_code == 409
    text = stale.content.decode()
    assert "Mine" in text
    assert "within 3 hours" in text
    rule.refresh_from_db()
    assert (rule.minutes, rule.definition) == (180, 2)
    # Another name is no other definition.
    assert (
        lead.post(page(rule), {**FORM, "amount": "3", "name": "B", "version": rule.version}).status_code
        == 302
    )
    rule.refresh_from_db()
    assert rule.definition == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"kind": "magic"}, "kind"),
        ({"first": []}, "first"),
        ({"first": ["Order Paid"]}, "first"),
        ({"first": ["a", "b", "c", "d", "e", "f"]}, "first"),
        ({"kind": "after"}, "second"),
        ({"kind": "after", "second": ["paid"]}, "second"),
        ({"kind": "burst"}, "properties"),
        ({"kind": "burst", "properties": ["city"], "count": 1}, "count"),
        ({"properties": ["x" * 61]}, "properties"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 45_000}, "minutes"),
        ({"hold_hours": 0}, "hold_hours"),
        ({"tell_role": ""}, "tell_role"),
        ({"tell_role": "nobody"}, "tell_role"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(change: dict[str, Any], field: str) -> None:
    plain = {
        "name": "R",
        "kind": "twice",
        "first": ["paid"],
        "minutes": 5,
        "tell_role": "operations",
        "count": 5,
    }
    with pytest.raises(Refused) as refused:
        read_rule({**plain, **change})
    assert refused.value.field == field


def test_two_rules_of_one_name_are_refused(lead: Client) -> None:
    lead.post(reverse(ADD), FORM)
    again = lead.post(reverse(ADD), FORM)
    assert again.status_code == 422
    assert "There is a rule of this name." in again.content.decode()


@pytest.mark.parametrize("code", EXAMPLES)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_each_example_can_be_saved_as_it_is(client: Client, code: str, language: str) -> None:
    client.force_login(make_user("service_lead", language=language))
    form = client.get(reverse(ADD), {"example": code}).context["form"]
    data = {name: value for name, value in form.initial.items() if value not in (None, False)}
    assert client.post(reverse(ADD), data).status_code == 302
    with translation.override(language):
        assert rule_sentence(EXAMPLES[code])


def test_trying_says_what_would_have_been_and_writes_nothing(lead: Client) -> None:
    now = timezone.now()
    ago = [now - timedelta(days=days) for days in (1, 2, 3)]
    record_events(
        [
            tell("order_paid", at + timedelta(minutes=more), f"O{n}", f"E{n}")
            for n, at in enumerate(ago)
            for more in (0, 30)
        ]
    )
    answer = lead.post(reverse("admin:customers_watchrule_try"), FORM).content.decode()
    assert "<strong>3 alerts</strong>" in answer
    assert "O2" in answer
    none = {**FORM, "amount": "5", "unit": "minutes"}
    assert (
        "would have raised no alert"
        in lead.post(reverse("admin:customers_watchrule_try"), none).content.decode()
    )
    for kind, more in (
        ("after", {"second": "order_delivered"}),
        ("missing", {"second": "order_delivered"}),
        ("burst", {"properties": "city", "count": "2"}),
    ):
        tried = lead.post(reverse("admin:customers_watchrule_try"), {**FORM, "kind": kind, **more})
        assert tried.status_code == 200
    assert lead.post(reverse("admin:customers_watchrule_try"), {}).status_code == 422
    assert not any(model.objects.exists() for model in (WatchRule, WatchFinding, Alert))


def test_the_pages_say_who_may_what(client: Client) -> None:
    rule = make_rule(kind="twice", first=["paid"])
    charge_twice()
    client.force_login(make_user("agent"))
    assert client.get(page(rule)).status_code == 200
    assert client.post(page(rule), FORM).status_code == 403
    assert client.post(page(rule, "pause")).status_code == 403
    assert client.get(reverse(ADD)).status_code == 403
    client.force_login(make_user("content_editor"))
    assert client.get(page(rule)).status_code == 403


def test_lists_take_the_same_queries(client: Client, django_assert_max_num_queries: Any) -> None:
    client.force_login(make_user())
    team = make_team()
    for n in range(12):
        create_rule(
            data={"name": f"R{n}", "kind": "twice", "first": ["paid"], "minutes": 5, "tell_team": team},
            owner=None,
        )
    with django_assert_max_num_queries(14):
        assert client.get(reverse("admin:customers_watchrule_changelist")).status_code == 200
    with django_assert_max_num_queries(16):
        client.get(reverse(ADD))
