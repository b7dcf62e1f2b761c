"""The operations page: who may see it, what it says, what it costs."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifyhub.messaging.models import Batch, Halt, ProviderAccount, SendTally
from notifyhub.messaging.tests.factories import make_dispatch
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
        SendTally.objects.create(
            minute=timezone.now() - timedelta(minutes=n),
            kind="sent",
            priority=1,
            account_id=n,
            node=f"bulk@{n}",
        )
        Halt.objects.create(scope="worker", value=f"bulk@{n}")
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few)


def halt_with(client: Client, **fields: str) -> HttpResponse:
    """Post the dialog that orders a stop."""
    answer = client.post(reverse("admin:console_operations_halt"), fields)
    assert isinstance(answer, HttpResponse)
    return answer


STOP = {"scope": "class", "value": "promotional", "reason": "Wrong price", "word": "stop"}


def test_operations_stop_all_promotions_with_a_typed_word_and_let_them_go_on(client: Client) -> None:
    user = make_user(roles.OPERATIONS)
    client.force_login(user)
    url = reverse("admin:console_operations_halt")
    dialog = client.get(url, {"scope": "class", "value": "promotional"}).content.decode()
    assert "Stop all promotions" in dialog
    assert "Type STOP to confirm" in dialog
    unsure = halt_with(client, **{**STOP, "word": "yes"})
    assert unsure.status_code == 422
    assert "Wrong price" in unsure.content.decode()
    assert not Halt.objects.exists()
    assert halt_with(client, **STOP).headers["HX-Redirect"] == reverse("admin:console_operations")
    assert halt_with(client, **STOP).status_code == 422
    text = client.get(reverse("admin:console_operations_body")).content.decode()
    assert "All promotions stand still." in text
    assert str(user) in text
    resume = reverse("admin:console_operations_resume")
    assert client.get(resume).status_code == 405
    client.post(resume, {"halt": Halt.objects.get().pk})
    assert Halt.objects.get().lifted_by == str(user)
    again = client.post(resume, {"halt": Halt.objects.get().pk}, follow=True)
    assert "Somebody let this go on already" in again.content.decode()


def test_workers_and_accounts_stop_by_their_rows(client: Client) -> None:
    client.force_login(make_user(roles.ADMINISTRATOR))
    NodeBeat.objects.create(name="bulk@one", kind="worker", queues="bulk", at=timezone.now())
    account = ProviderAccount.objects.latest("pk")
    for scope, value in (("worker", "bulk@one"), ("account", str(account.pk))):
        dialog = client.get(reverse("admin:console_operations_halt"), {"scope": scope, "value": value})
        assert b"to confirm" not in dialog.content
        halt_with(client, scope=scope, value=value, reason="New disk")
    text = client.get(reverse("admin:console_operations_body")).content.decode()
    assert "drained: safe to stop" in text
    assert f"Nothing is sent through the account {account.name}." in text


def test_nobody_else_presses_anything(client: Client) -> None:
    halt = Halt.objects.create(scope="all", reason="x")
    for user in (make_user(roles.AGENT), make_user(roles.MARKETING_EDITOR)):
        client.force_login(user)
        assert halt_with(client, **STOP).status_code == 403
        for name in ("resume", "overdue", "probe", "receipts"):
            answer = client.post(reverse(f"admin:console_operations_{name}"), {"halt": halt.pk})
            assert answer.status_code == 403
        assert client.get(reverse("admin:console_operations_report")).status_code == 403
    assert Halt.objects.filter(lifted_at=None).count() == 1


def test_nonsense_is_answered_in_words(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    for fields in (
        {},
        {"scope": "moon"},
        {"scope": "restored", "reason": "x"},
        {"scope": "account", "value": "\x7f"},
    ):
        assert halt_with(client, **fields).status_code == 422
    for name, fields in (
        ("resume", {"halt": "٣"}),
        ("resume", {}),
        ("overdue", {"decision": "perhaps"}),
        ("overdue", {"decision": "send"}),
        ("probe", {"account": "9" * 30}),
        ("receipts", {}),
    ):
        answer = client.post(reverse(f"admin:console_operations_{name}"), fields, follow=True)
        assert answer.status_code == 200


def test_after_a_restore_it_asks_whether_to_send_or_to_cancel(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    for decision, words in (("send", "0 messages are sent now."), ("cancel", "They are being cancelled.")):
        Halt.objects.create(scope="restored", reason="Backup of 2026-11-20 02:00")
        text = client.get(reverse("admin:console_operations")).content.decode()
        assert "Restored at" in text
        assert "Backup of 2026-11-20 02:00" in text
        answer = client.post(reverse("admin:console_operations_overdue"), {"decision": decision}, follow=True)
        assert words in answer.content.decode()


def test_it_says_what_became_of_the_leases_of_a_silent_worker(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    ago = timezone.now() - timedelta(minutes=5)
    NodeBeat.objects.create(name="bulk@two", kind="worker", queues="bulk", at=ago)
    NodeBeat.objects.create(name="bulk@one", kind="worker", queues="bulk", at=timezone.now())
    url = reverse("admin:console_operations_body")
    assert "its leases went back" in client.get(url).content.decode()
    Batch.objects.create(
        dispatch=make_dispatch(),
        channel="email",
        priority=1,
        lo=1,
        hi=2,
        not_before=ago,
        cursor=0,
        open_to=0,
        state=1,
        owner="bulk@two:7:abc",
        lease_until=timezone.now(),
    )
    assert "its lease goes back at" in client.get(url).content.decode()


def test_an_unreachable_broker_is_said_and_the_numbers_stay(client: Client, settings: Any) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    client.force_login(make_user(roles.OPERATIONS))
    halt_with(client, **STOP)
    text = client.get(reverse("admin:console_operations_body")).content.decode()
    assert "The broker cannot be reached" in text
    assert "All promotions stand still." in text


def test_the_report_is_what_doctor_says(client: Client) -> None:
    client.force_login(make_user(roles.OPERATIONS))
    answer = client.get(reverse("admin:console_operations_report"))
    assert {"halts", "on_time", "partitions", "queue"} <= set(json.loads(answer.content)["checks"])


def test_the_search_takes_its_term_by_post_only(client: Client) -> None:
    client.force_login(make_user())
    answer = client.post(reverse("admin:console_search"), {"q": "nobody of this name"})
    assert "Nothing found" in answer.content.decode()
    assert "Type a name" in client.get(reverse("admin:console_search"), {"q": "nobody"}).content.decode()
