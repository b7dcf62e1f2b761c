"""Ready-made rules: drafts with real texts in both languages."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from notifyhub.customers.models import Topic
from notifyhub.messaging.models import Content, Dispatch, Template, TemplateVersion
from notifyhub.messaging.services.templates import publish
from notifyhub.messaging.services.templates.checks import ERROR, check_version
from notifyhub.reminders.examples import EXAMPLES, make_rule
from notifyhub.reminders.examples.texts import TEXTS
from notifyhub.reminders.models import ReminderRule
from notifyhub.reminders.services import rules
from notifyhub.staff import roles
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", list(EXAMPLES))
def test_an_example_makes_a_draft_whose_texts_a_person_publishes(key: str) -> None:
    rule = make_rule(key=key, user=make_user(roles.MARKETING_EDITOR))
    assert (rule.state, rule.example) == ("draft", key)
    assert rules.find_unsendable(rule)
    for template in Template.objects.all():
        version = TemplateVersion.objects.get(template=template)
        assert version.state == TemplateVersion.State.DRAFT
        findings = [one for checks in check_version(version=version).values() for one in checks]
        assert [one.text for one in findings if one.level == ERROR] == []
        publish(template_id=template.pk)
    assert rules.find_unsendable(rule) == []
    rules.activate_rule(rule_id=rule.pk)
    assert not Dispatch.objects.exists()


def test_every_channel_of_a_step_has_its_text_in_both_languages() -> None:
    for key, example in EXAMPLES.items():
        for line in example.lines:
            written = TEXTS[line.text][2]
            for one in line.channels():
                for language in ("zh-hans", "en"):
                    assert (one["channel"], language) in written, (key, one, language)


def test_a_bill_comes_with_gap_maximum_and_the_stops_of_money() -> None:
    rule = make_rule(key="bill-due", user=make_user(roles.MARKETING_EDITOR))
    live = rule.live
    assert live is not None
    assert (live.subject_gap_hours, live.subject_max) == (20, 5)
    assert live.stop_paid
    assert live.stop_held
    assert "disputed" in live.stop_states
    assert live.working_days
    assert live.send_from is not None


def test_a_second_click_makes_another_rule_of_the_same_texts(client: Client) -> None:
    client.force_login(make_user(roles.MARKETING_EDITOR))
    url = reverse("admin:reminders_reminderrule_example", args=["cart-recall"])
    assert client.get(url).status_code == 405
    for _ in range(2):
        assert client.post(url).status_code == 302
    assert sorted(ReminderRule.objects.values_list("name", flat=True)) == ["Cart recall", "Cart recall 2"]
    assert Template.objects.count() == 1
    assert Topic.objects.get().message_class == "promotional"
    text = client.get(reverse("admin:reminders_reminderrule_examples")).content.decode()
    assert "2 rules made of it" in text
    assert client.post(reverse("admin:reminders_reminderrule_example", args=["moon"])).status_code == 404


def test_an_archived_text_is_not_taken_again() -> None:
    user = make_user(roles.MARKETING_EDITOR)
    make_rule(key="birthday", user=user)
    Template.objects.update(archived_at="2026-01-01T00:00Z")
    make_rule(key="birthday", user=user)
    assert Template.objects.filter(archived_at=None).count() == 1


def test_the_texts_are_written_in_chinese_whoever_clicks() -> None:
    with translation.override("en"):
        make_rule(key="bill-due", user=make_user(roles.MARKETING_EDITOR))
    chinese = Content.objects.filter(language="zh-hans", channel="sms")
    assert all("账单" in one.body for one in chinese)
    assert chinese.count() == 2
