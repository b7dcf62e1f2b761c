"""Sending policies through the admin's doors: only what means something, and errors where they were made."""

import json
from datetime import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.messaging.defaults import create_defaults
from notifyhub.messaging.models import ChannelPolicy, SendingPolicy
from notifyhub.messaging.tests.kit.sending import memory_account
from notifyhub.staff import roles
from notifyhub.staff.models import AuditEntry
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(make_user(roles.OPERATIONS))
    return client


@pytest.fixture
def policy() -> SendingPolicy:
    return SendingPolicy.objects.get(message_class="promotional")


def address(policy: SendingPolicy) -> str:
    return reverse("admin:messaging_sendingpolicy_change", args=[policy.pk])


def form(policy: SendingPolicy, **changes: Any) -> dict[str, Any]:
    return {
        "channels": ["email", "sms"],
        "quiet_from": "21:00",
        "quiet_until": "09:00",
        "cap_day": "3",
        "cap_week": "10",
        "duplicate_hours": "24",
        "target_seconds": "3600",
        "expected_version": str(policy.version),
        **changes,
    }


def test_a_policy_and_its_channels_are_changed_with_a_history(
    operator: Client, policy: SendingPolicy
) -> None:
    sent = form(policy, sms__cap_day="1", sms__quiet_from="20:00", sms__quiet_until="10:00")
    assert operator.post(address(policy), sent).status_code == 302
    policy.refresh_from_db()
    assert (policy.quiet_from, policy.quiet_until) == (time(21), time(9))
    assert (policy.cap_day, policy.cap_week, policy.channels) == (3, 10, ["email", "sms"])
    rule = ChannelPolicy.objects.get(policy=policy)
    assert (rule.channel, rule.cap_day, rule.cap_week, rule.quiet_from) == ("sms", 1, None, time(20))
    assert policy.history.count() >= 1
    entry = AuditEntry.objects.filter(verb="update_policy").latest("pk")
    assert "20:00" in json.dumps(entry.detail)
    page = operator.get(address(policy)).content.decode()
    assert 'value="21:00"' in page
    assert "App push: Quiet from" in page
    # Emptied, the channel keeps to the hours of all again.
    policy.refresh_from_db()
    assert operator.post(address(policy), form(policy)).status_code == 302
    assert not ChannelPolicy.objects.exists()
    history = operator.get(reverse("admin:messaging_sendingpolicy_history", args=[policy.pk]))
    assert history.status_code == 200


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quiet_until": ""}, "a beginning and an end"),
        ({"cap_week": "2"}, "less than the limit of one day"),
        ({"cap_day": "0"}, "greater than or equal to 1"),
        ({"duplicate_hours": ""}, "required"),
        ({"duplicate_hours": "9999"}, "less than or equal to 720"),
        ({"target_seconds": "x"}, "whole number"),
        ({"quiet_from": "25:00"}, "valid time"),
        ({"sms__cap_day": "5", "sms__cap_week": "4"}, "less than the limit of one day"),
        ({"sms__quiet_from": "20:00"}, "a beginning and an end"),
        ({"channels": ["pigeon"]}, "pigeon"),
    ],
)
def test_what_cannot_be_is_refused_where_it_was_typed(
    operator: Client, policy: SendingPolicy, changes: dict[str, Any], said: str
) -> None:
    answer = operator.post(address(policy), form(policy, **changes))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert said in page
    assert "errorlist" in page
    assert 'value="10"' in page or "cap_week" in changes
    policy.refresh_from_db()
    assert policy.version == 1


def test_a_stale_form_keeps_what_was_typed(operator: Client, policy: SendingPolicy) -> None:
    answer = operator.post(address(policy), form(policy, cap_day="7", expected_version="99"))
    assert "meanwhile" in answer.content.decode()
    assert 'value="7"' in answer.content.decode()


@pytest.mark.parametrize(
    ("message_class", "there", "not_there"),
    [
        ("transactional", ["duplicate_hours"], ["quiet_from", "cap_day", "subject_max", "sms__cap_day"]),
        ("service", ["quiet_from", "subject_max", "sms__quiet_from"], ["cap_day", "sms__cap_day"]),
        ("informational", ["cap_day", "sms__cap_week"], ["subject_gap_hours"]),
    ],
)
def test_a_class_shows_only_what_means_something_for_it(
    operator: Client, message_class: str, there: list[str], not_there: list[str]
) -> None:
    page = operator.get(address(SendingPolicy.objects.get(message_class=message_class))).content.decode()
    assert all(f'name="{name}"' in page for name in there)
    assert not any(f'name="{name}"' in page for name in not_there)


def test_policies_are_never_made_or_deleted(operator: Client, policy: SendingPolicy) -> None:
    assert operator.get(reverse("admin:messaging_sendingpolicy_add")).status_code == 403
    assert operator.get(reverse("admin:messaging_sendingpolicy_changelist")).status_code == 200
    assert operator.get(reverse("admin:messaging_sendingpolicy_delete", args=[policy.pk])).status_code == 403
    base = reverse("admin:messaging_sendingpolicy_changelist")
    for name in ("999999", "abc", "9" * 30):
        assert operator.get(f"{base}{name}/change/").status_code == 404


def test_a_house_begins_with_limits_and_keeps_those_it_was_given(policy: SendingPolicy) -> None:
    SendingPolicy.objects.all().delete()
    create_defaults()
    made = {one.message_class: one for one in SendingPolicy.objects.all()}
    assert (made["promotional"].quiet_from, made["promotional"].cap_day) == (time(21), 3)
    assert (made["service"].subject_gap_hours, made["service"].cap_day) == (20, None)
    assert (made["transactional"].quiet_from, made["transactional"].duplicate_hours) == (None, 0)
    rules = ChannelPolicy.objects.filter(channel="sms")
    assert rules.get(policy=made["promotional"]).cap_day == 1
    rules.all().delete()
    SendingPolicy.objects.update(cap_day=9)
    create_defaults()
    assert set(SendingPolicy.objects.values_list("cap_day", flat=True)) == {9}
    assert not rules.exists()


def test_the_hours_of_an_account_are_set_on_its_page(operator: Client) -> None:
    account = memory_account("sms", name="Texts")
    page = reverse("admin:messaging_provideraccount_change", args=[account.pk])
    typed = {"name": "Texts", "priority": "1", "rate_per_second": "9", "active": "on", "open_from": "08:00"}
    assert "a beginning and an end" in operator.post(page, typed).content.decode()
    assert operator.post(page, {**typed, "open_until": "21:30"}).status_code == 302
    account.refresh_from_db()
    assert (account.open_from, account.open_until) == (time(8), time(21, 30))
