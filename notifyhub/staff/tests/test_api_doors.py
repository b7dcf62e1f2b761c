"""What every API view stands on: keys, scopes, the limit a minute, Idempotency-Key."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from notifyhub.staff.models import ApiKey, ApiUsage, AuditEntry, IdempotentRequest, Team
from notifyhub.staff.services.api_keys import create_api_key, forget_usage, revoke_api_key
from notifyhub.staff.services.idempotency import forget_answers

pytestmark = [pytest.mark.django_db, pytest.mark.urls("notifyhub.staff.tests.api_urls")]


@pytest.fixture
def key() -> tuple[ApiKey, str]:
    """Return a key that may send events, and its token."""
    return create_api_key(name="shop", scopes=["events:write"])


def post(client: Client, token: str, name: str = "Team", once: str = "", **extra: Any) -> Any:
    """Post a team."""
    headers = {"Authorization": f"Bearer {token}", **({"Idempotency-Key": once} if once else {})}
    return client.post("/teams", {"name": name}, "application/json", headers=headers, **extra)


def test_a_key_with_the_scope_gets_in(client: Client, key: Any) -> None:
    assert post(client, key[1]).status_code == 201
    assert ApiKey.objects.get().last_used_at is not None


@pytest.mark.parametrize(
    "token", ["", "nh_", "nonsense", "nh_0123456789.x", "nh_\x00.\x00", "nh_012345678９.x", "." * 5000]
)
def test_a_wrong_token_is_a_problem_with_401(client: Client, key: Any, token: str) -> None:
    response = post(client, token)
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_key_without_the_scope_is_a_problem_with_403(client: Client) -> None:
    _key, token = create_api_key(name="reader", scopes=["customers:read"])
    response = post(client, token)
    assert (response.status_code, response["Content-Type"]) == (403, "application/problem+json")


def test_an_expired_or_revoked_key_ends_at_once(client: Client, key: Any) -> None:
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert post(client, key[1]).status_code == 401
    ApiKey.objects.update(expires_at=None)
    assert post(client, key[1]).status_code == 201
    revoke_api_key(key_id=key[0].pk)
    assert post(client, key[1]).status_code == 401


def test_too_many_requests_a_minute_are_told_when_to_come_back(client: Client, key: Any) -> None:
    ApiKey.objects.update(per_minute=2)
    ApiUsage.objects.all().delete()
    answers = [post(client, key[1]) for _ in range(5)]

    # The clock may turn the minute in between; then a second window begins.
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0]["Content-Type"] == "application/problem+json"
    assert 1 <= int(refused[0]["Retry-After"]) <= 61
    assert sum(ApiUsage.objects.values_list("count", flat=True)) == 5


def test_last_used_is_written_at_most_once_a_minute(client: Client, key: Any) -> None:
    post(client, key[1])
    first = ApiKey.objects.get().last_used_at
    post(client, key[1])
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    post(client, key[1])
    assert ApiKey.objects.get().last_used_at > first


def test_a_repeated_request_gets_the_same_answer_and_is_done_once(client: Client, key: Any) -> None:
    first, second = post(client, key[1], once="a"), post(client, key[1], once="a")

    assert (second.status_code, second.json()) == (first.status_code, first.json()) == (201, first.json())
    assert second["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Team.objects.count() == 1
    assert post(client, key[1], once="b").json() != first.json()


def test_the_same_key_for_another_body_is_refused(client: Client, key: Any) -> None:
    post(client, key[1], once="a")
    response = post(client, key[1], name="Other", once="a")

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert Team.objects.count() == 1


def test_a_refusal_leaves_no_trace_and_is_repeated_too(client: Client, key: Any) -> None:
    first, second = (post(client, key[1], name="refused", once="a") for _ in range(2))

    assert first.status_code == second.status_code == 422
    assert first.json() == second.json()
    assert second["Content-Type"] == "application/problem+json"
    assert Team.objects.count() == 0


def test_a_failure_of_ours_may_be_tried_again_at_once(client: Client, key: Any) -> None:
    client.raise_request_exception = False
    assert post(client, key[1], name="broken", once="a").status_code == 500
    assert Team.objects.count() == 0
    assert IdempotentRequest.objects.count() == 0


def test_while_the_first_is_under_way_the_second_waits_and_after_a_minute_it_takes_over(
    client: Client, key: Any
) -> None:
    done = post(client, key[1], once="a")
    IdempotentRequest.objects.update(status=None, body=None)
    response = post(client, key[1], once="a")
    assert (response.status_code, response["Retry-After"]) == (409, "2")

    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    again = post(client, key[1], once="a")
    assert again.status_code == 201
    assert again.json() != done.json()


def test_two_keys_may_use_the_same_idempotency_key(client: Client, key: Any) -> None:
    _other, token = create_api_key(name="other", scopes=["events:write"])
    assert post(client, key[1], once="a").json() != post(client, token, once="a").json()


@pytest.mark.parametrize("once", ["x" * 256, "a\x00b", "a\tb"])
def test_a_strange_idempotency_key_is_refused(client: Client, key: Any, once: str) -> None:
    assert post(client, key[1], once=once).status_code == 400


def test_a_body_beyond_the_limit_is_a_problem_with_413(client: Client, key: Any, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert post(client, key[1], name="x" * 50, once="a").status_code == 413


def test_broken_json_is_a_problem_and_not_a_crash(client: Client, key: Any) -> None:
    headers = {"Authorization": f"Bearer {key[1]}", "Idempotency-Key": "a"}
    response = client.post("/teams", b'{"name": ', "application/json", headers=headers)
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")


def test_old_answers_and_counts_are_forgotten(client: Client, key: Any) -> None:
    post(client, key[1], once="a")
    old = timezone.now() - timedelta(days=8)
    IdempotentRequest.objects.update(created_at=old)
    ApiUsage.objects.update(minute=old)
    assert (forget_answers(), forget_usage()) == (1, 1)


@pytest.mark.parametrize("scopes", [["events:write, customers:write"], ["events:write", "customers:write"]])
def test_the_command_prints_the_token_once_and_stores_its_hash_alone(capsys: Any, scopes: list[str]) -> None:
    call_command("create_api_key", "shop", "--scopes", *scopes, "--expires", "30")
    token = capsys.readouterr().out.strip()

    key = ApiKey.objects.get()
    assert key.scopes == ["customers:write", "events:write"]
    assert bytes(key.secret_hash) == hashlib.sha256(token.partition(".")[2].encode()).digest()
    assert AuditEntry.objects.get(verb="create_api_key").object_id == str(key.pk)


@pytest.mark.parametrize(
    "arguments",
    [
        ["x", "--scopes", "everything"],
        ["x", "--scopes", ","],
        ["", "--scopes", "events:write"],
        ["x" * 81, "--scopes", "events:write"],
        ["x", "--scopes", "events:write", "--expires", "0"],
    ],
)
def test_the_command_refuses_in_a_sentence(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("create_api_key", *arguments)
