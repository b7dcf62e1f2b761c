"""What load balancers ask: alive, and ready."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from notifyhub.console.health import canary_state
from notifyhub.staff.models import NodeBeat

pytestmark = pytest.mark.django_db

QUEUES = ("realtime", "bulk", "housekeeping")
LONG = 3600.0


def canaries(*, seconds: int) -> None:
    """Stamp a canary that came through each queue so long ago."""
    at = timezone.now() - timedelta(seconds=seconds)
    for queue in QUEUES:
        NodeBeat.objects.create(name=f"canary:{queue}", kind="canary", queues=queue, at=at)


def test_liveness_needs_nothing(client: Client) -> None:
    assert client.get("/healthz").content == b"ok"


def test_readiness_names_what_it_needs(client: Client) -> None:
    canaries(seconds=5)
    answer = client.get("/readyz")
    assert answer.json() == {"database": "ok", "broker": answer.json()["broker"], "canary": "ok"}
    assert (answer.status_code == 200) == (answer.json()["broker"] == "ok")


def test_a_house_whose_queues_nobody_serves_is_not_ready() -> None:
    canaries(seconds=300)
    assert canary_state(up_for=LONG) == "late"


def test_the_first_minute_is_warming_up() -> None:
    assert canary_state(up_for=3.0) == "warming up"
    assert canary_state(up_for=LONG) == "late"
    now = timezone.now()
    for queue in QUEUES:
        NodeBeat.objects.create(
            name=f"{queue}@one", kind="worker", queues=queue, at=now, detail={"started": now.isoformat()}
        )
    assert canary_state(up_for=LONG) == "warming up"


def test_a_house_whose_workers_are_busy_is_ready_and_says_so(client: Client) -> None:
    canaries(seconds=5)
    NodeBeat.objects.filter(queues="bulk").update(detail={"took_ms": 50_000})
    assert canary_state(up_for=LONG) == "slow"
    answer = client.get("/readyz")
    assert answer.json()["canary"] == "slow"
    assert (answer.status_code == 200) == (answer.json()["broker"] == "ok")
