"""The operations page: who may see it, what it says, what it costs."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.staff import roles
from notifyhub.staff.models import NodeBeat, TickLease
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_only_those_who_steer_operations_may_open_it(client: Client) -> None:
    client.force_login(make_user(roles.AGENT))
    assert client.get(reverse("admin:console_operations")).status_code == 403
    client.force_login(make_user(roles.OPERATIONS))
    assert client.get(reverse("admin:console_operations")).status_code == 200


def test_it_names_a_silent_worker(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    NodeBeat.objects.create(name="bulk@one", kind="worker", queues="bulk", at=timezone.now())
    NodeBeat.objects.create(
        name="bulk@two", kind="worker", queues="bulk", at=timezone.now() - timedelta(minutes=5)
    )
    text = client.get(reverse("admin:console_operations_body")).content.decode()
    assert "bulk@two" in text
    assert "Silent workers: bulk@two" in text


def test_its_queries_do_not_grow_with_the_data(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    url = reverse("admin:console_operations_body")
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for n in range(30):
        NodeBeat.objects.create(name=f"bulk@{n}", kind="worker", queues="bulk", at=timezone.now())
        TickLease.objects.create(name=f"tick-{n}")
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few)


def test_liveness_needs_nothing_and_readiness_names_what_it_needs(client: Client) -> None:
    assert client.get("/healthz").content == b"ok"
    assert client.get("/readyz").json()["database"] == "ok"


def test_the_search_takes_its_term_by_post_only(client: Client) -> None:
    client.force_login(make_user())
    answer = client.post(reverse("admin:console_search"), {"q": "nobody of this name"})
    assert "Nothing found" in answer.content.decode()
    assert "Type a name" in client.get(reverse("admin:console_search"), {"q": "nobody"}).content.decode()
