"""/metrics: who may read it, and that what it says is so."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.metrics import house_metrics
from notifyhub.messaging.models import Halt, Punctuality, SendTally
from notifyhub.messaging.services.punctuality import roll_up
from notifyhub.messaging.services.punctuality.rolling import FLOOR, fold_tallies
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, make_recipients, memory_account

pytestmark = pytest.mark.django_db


def samples() -> dict[tuple[str, frozenset[str]], float]:
    """Return the value of each series by its name and the values of its labels."""
    text = house_metrics(fresh=True).decode()
    return {
        (one.name, frozenset(one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_it_counts_what_was_sent_what_waits_and_what_stands_still() -> None:
    memory_account()
    dispatch_to(make_recipients("auto", "auto"))
    drain()
    roll_up(upto=timezone.now())
    waiting = dispatch_to(make_recipients("auto"))
    plan_dispatch(dispatch_id=waiting.pk)
    Halt.objects.create(scope="class", value="promotional")
    found = samples()
    sent = frozenset({"Memory email", "email", "promotional", "sent"})
    assert found["notifyhub_messages_total", sent] == 2
    assert found["notifyhub_queue_depth", frozenset({"bulk", "promotional"})] == 1
    assert found["notifyhub_halt", frozenset({"class", "promotional"})] == 1
    assert found["notifyhub_circuit", frozenset({"Memory email", "email", "closed"})] == 1
    assert found["notifyhub_on_time_total", frozenset({"promotional"})] == 2
    assert found["notifyhub_wait_seconds_bucket", frozenset({"promotional", "+Inf"})] == 2


def test_counters_do_not_shrink_when_hours_pass() -> None:
    old = timezone.now() - timedelta(days=300)
    Punctuality.objects.create(message_class="service", hour=old, on_time=7, buckets=[7] + [0] * 19)
    for _time in range(2):
        assert samples()["notifyhub_on_time_total", frozenset({"service"})] == 7
        fold_tallies()
    assert Punctuality.objects.get().hour == FLOOR


def test_its_queries_do_not_grow_with_the_data() -> None:
    with CaptureQueriesContext(connection) as few:
        house_metrics(fresh=True)
    for n in range(40):
        SendTally.objects.create(minute=timezone.now(), kind="sent", priority=1, account_id=n, count=n)
    with CaptureQueriesContext(connection) as many:
        house_metrics(fresh=True)
    assert len(many) == len(few)


def test_a_second_scrape_within_seconds_costs_nothing() -> None:
    house_metrics(fresh=True)
    with CaptureQueriesContext(connection) as none:
        house_metrics()
    assert len(none) == 0


def test_only_the_token_opens_it(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = "secret"
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer s\u00e9cret"}).status_code == 401
    answer = client.get("/metrics", headers={"Authorization": "Bearer secret"})
    assert answer.status_code == 200
    assert b"notifyhub_queue_depth" in answer.content
    assert b"django_http_requests" in answer.content


def test_without_a_token_this_machine_alone_reads_it(client: Client, settings: Any) -> None:
    settings.METRICS_TOKEN, settings.DEBUG = "", False
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.7").status_code == 401
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 401
    proxied = client.get("/metrics", REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "10.0.0.7"})
    assert proxied.status_code == 401
