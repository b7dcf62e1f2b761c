"""API keys and beat's rows, through the console."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from notifyhub.staff.models import ApiKey, ApiUsage, AuditEntry
from notifyhub.staff.services.api_keys import create_api_key, find_api_key
from notifyhub.staff.services.schedule import NAME, TASK
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db

KEY = {"name": "Shop", "scopes": ["events:write"], "per_minute": "60", "expires_at_0": "", "expires_at_1": ""}


def test_a_new_key_shows_its_token_once(client: Client) -> None:
    client.force_login(make_user("administrator"))
    answer = client.post(reverse("admin:staff_apikey_add"), KEY)

    token = re.search(r"nh_[0-9a-f]{10}\.[\w-]+", answer.content.decode())
    assert token is not None, answer.content.decode()[-3000:]
    assert "no-store" in answer["Cache-Control"]
    key = find_api_key(token=token.group())
    assert key is not None
    assert (key.name, key.scopes, key.per_minute) == ("Shop", ["events:write"], 60)
    page = client.get(reverse("admin:staff_apikey_change", args=[key.pk])).content.decode()
    assert token.group().partition(".")[2] not in page


@pytest.mark.parametrize(
    "change",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"per_minute": "0"},
        {"per_minute": "-1"},
        {"name": ""},
        {"expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"},
    ],
)
def test_a_bad_key_is_refused_in_place(client: Client, change: dict[str, Any]) -> None:
    client.force_login(make_user("administrator"))
    answer = client.post(reverse("admin:staff_apikey_add"), {**KEY, **change})
    assert answer.status_code == 200
    assert ApiKey.objects.count() == 0


def test_a_stale_page_of_a_key_is_a_conflict_that_keeps_the_text(client: Client) -> None:
    client.force_login(make_user("administrator"))
    key, _token = create_api_key(name="shop", scopes=["events:write"])
    url = reverse("admin:staff_apikey_change", args=[key.pk])
    sent = {**KEY, "expected_version": "1"}

    assert client.post(url, {**sent, "name": "First"}).status_code == 302
    answer = client.post(url, {**sent, "name": "Second"})
    assert "Somebody changed this key meanwhile" in answer.content.decode()
    assert "Second" in answer.content.decode()
    assert ApiKey.objects.get().name == "First"


def test_revoking_needs_a_post_and_the_permission(client: Client) -> None:
    key, token = create_api_key(name="shop", scopes=["events:write"])
    url = reverse("admin:staff_apikey_revoke", args=[key.pk])

    client.force_login(make_user("operations"))
    assert client.post(url).status_code == 403
    client.force_login(make_user("administrator"))
    client.get(url)
    assert find_api_key(token=token)
    assert client.post(url, {"reason": "left"}, follow=True).status_code == 200
    assert find_api_key(token=token) is None
    assert AuditEntry.objects.get(verb="revoke_api_key").reason == "left"
    assert "already" in client.post(url, follow=True).content.decode()


def test_the_page_of_a_key_shows_its_requests(client: Client) -> None:
    client.force_login(make_user("operations"))
    key, _token = create_api_key(name="shop", scopes=["events:write"])
    ApiUsage.objects.create(key=key, minute=timezone.now() - timedelta(minutes=3), count=1234)

    assert "1,234" in client.get(reverse("admin:staff_apikey_change", args=[key.pk])).content.decode()
    assert "1,234" in client.get(reverse("admin:staff_apikey_changelist")).content.decode()


def test_the_key_list_asks_the_same_number_of_questions_for_more_keys(client: Client) -> None:
    user = make_user("operations")
    client.force_login(user)
    asked = []
    for most in (1, 20):
        for number in range(most):
            create_api_key(name=f"key {most} {number}", scopes=["events:write"], owner=user)
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("admin:staff_apikey_changelist"))
        asked.append(len(queries))
    assert asked[0] == asked[1] <= 10


def beat_form(**changes: Any) -> dict[str, Any]:
    """Return what the browser sends for a row of beat."""
    interval = IntervalSchedule.objects.get_or_create(every=9, period="minutes")[0]
    values = {"name": "Extra", "task": TASK, "enabled": "on", "interval": interval.pk, "crontab": ""}
    return {**values, "description": "", **changes}


def test_an_administrator_adds_a_bell_from_the_list_alone(client: Client) -> None:
    client.force_login(make_user("administrator"))
    url = reverse("admin:django_celery_beat_periodictask_add")

    sent = beat_form(args='["x"]', kwargs='{"a": 1}', queue="bulk")
    assert client.post(url, sent).status_code == 302
    row = PeriodicTask.objects.get(name="Extra")
    assert (row.args, row.kwargs, row.queue, row.task) == ("[]", "{}", "housekeeping", TASK)
    assert AuditEntry.objects.get(verb="create_periodic_task").object_label == "Extra"

    answer = client.post(url, beat_form(name="Other", task="os.system"))
    assert answer.status_code == 200
    crontab = CrontabSchedule.objects.create(minute="5")
    answer = client.post(url, beat_form(name="Other", crontab=crontab.pk))
    assert "must be set" in answer.content.decode()
    assert not PeriodicTask.objects.filter(name="Other").exists()


def test_the_houses_own_bell_is_only_switched(client: Client) -> None:
    client.force_login(make_user("administrator"))
    row = PeriodicTask.objects.get(name=NAME)
    url = reverse("admin:django_celery_beat_periodictask_change", args=[row.pk])

    assert client.get(url).status_code == 200
    assert client.post(url, {"name": "Renamed", "task": "os.system"}).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.task, row.enabled) == (NAME, TASK, False)
    delete = reverse("admin:django_celery_beat_periodictask_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert AuditEntry.objects.get(verb="update_periodic_task").detail == {"fields": ["enabled"]}


def test_an_added_bell_may_be_deleted(client: Client) -> None:
    client.force_login(make_user("administrator"))
    client.post(reverse("admin:django_celery_beat_periodictask_add"), beat_form())
    row = PeriodicTask.objects.get(name="Extra")
    delete = reverse("admin:django_celery_beat_periodictask_delete", args=[row.pk])

    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not PeriodicTask.objects.filter(name="Extra").exists()
    assert AuditEntry.objects.get(verb="delete_periodic_task").object_label == "Extra"


@pytest.mark.parametrize("role", ["operations", "service_lead", "agent"])
def test_nobody_else_sees_beats_rows(client: Client, role: str) -> None:
    client.force_login(make_user(role))
    assert client.get(reverse("admin:django_celery_beat_periodictask_changelist")).status_code == 403
