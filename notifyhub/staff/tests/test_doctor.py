"""What doctor finds."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone, translation

from notifyhub.core.registry import Finding, doctor_checks
from notifyhub.staff import doctor
from notifyhub.staff.models import NodeBeat, TickLease
from notifyhub.staff.services import audit
from notifyhub.staff.services.health import examine
from notifyhub.staff.services.sealing import seal_entries

pytestmark = pytest.mark.django_db


def beat(name: str, kind: str, queues: str = "", seconds: int = 0) -> None:
    """Write a sign of life that is so many seconds old."""
    NodeBeat.objects.create(
        name=name, kind=kind, queues=queues, at=timezone.now() - timedelta(seconds=seconds)
    )


def test_a_fresh_installation_without_workers_is_unwell(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stopped:
        call_command("doctor", "--json")

    assert stopped.value.code == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    levels = {name: check["level"] for name, check in answer["checks"].items()}
    assert levels["database"] == levels["migrations"] == levels["ticks"] == "ok"
    assert levels["beat"] == levels["canary"] == levels["workers"] == "error"


def test_it_speaks_in_sentences(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        call_command("doctor")
    assert "WRONG    beat: Beat has never rung." in capsys.readouterr().out


def test_living_machinery_is_well() -> None:
    beat("beat", "beat")
    beat("one@host", "worker")
    for queue in ("realtime", "bulk", "housekeeping"):
        beat(f"canary:{queue}", "canary", queue)

    assert doctor.check_beat().level == "ok"
    assert doctor.check_workers().level == "ok"
    assert doctor.check_canaries().level == "ok"


def test_old_signs_of_life_are_told_by_name() -> None:
    beat("beat", "beat", seconds=500)
    beat("one@host", "worker")
    beat("two@host", "worker", seconds=100)
    beat("canary:bulk", "canary", "bulk", seconds=300)

    assert doctor.check_beat().level == "error"
    assert doctor.check_workers() == Finding(
        level="warning",
        message="Silent workers: two@host. What they held goes to others.",
        data={"alive": ["one@host"], "silent": ["two@host"]},
    )
    assert "bulk" in doctor.check_canaries().message


def test_a_house_that_just_started_warms_up_before_anything_counts_as_wrong() -> None:
    for seconds, level in ((5, "ok"), (90, "error")):
        started = (timezone.now() - timedelta(seconds=seconds)).isoformat()
        for queue in ("realtime", "bulk", "housekeeping"):
            NodeBeat.objects.update_or_create(
                name=f"{queue}@one",
                defaults={
                    "kind": "worker",
                    "queues": queue,
                    "at": timezone.now(),
                    "detail": {"started": started},
                },
            )
        assert doctor.check_canaries().level == level
        assert doctor.check_beat().level == level
    assert "Are their workers up?" in doctor.check_canaries().message


def test_a_queue_without_a_worker_does_not_warm_up() -> None:
    NodeBeat.objects.create(
        name="bulk@one",
        kind="worker",
        queues="bulk",
        at=timezone.now(),
        detail={"started": timezone.now().isoformat()},
    )
    assert doctor.check_canaries().level == "error"


def test_a_failing_tick_is_named() -> None:
    TickLease.objects.create(name="seal", error="ValueError: x\nmore")
    assert doctor.check_ticks().data == {"failing": {"seal": "ValueError: x"}}


def test_a_seal_that_is_overdue_is_told() -> None:
    assert doctor.check_audit().level == "ok"
    with time_machine.travel(timezone.now() - timedelta(minutes=10)):
        audit.record(verb="test")
    assert doctor.check_audit().level == "warning"
    seal_entries()
    assert doctor.check_audit().level == "ok"


def test_an_unreachable_broker_is_found(settings: Any) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    assert doctor.check_broker().level == "error"


def test_a_check_that_breaks_is_a_finding_and_stops_no_other() -> None:
    def broken() -> Finding:
        raise KeyError("x")

    doctor_checks.register("broken", broken)
    findings = examine()
    doctor_checks._entries.pop("broken")

    assert findings["broken"].level == "error"
    assert findings["database"].level == "ok"


def test_a_canary_that_waits_behind_busy_workers_is_told_before_it_is_late() -> None:
    for queue in ("realtime", "bulk", "housekeeping"):
        beat(f"canary:{queue}", "canary", queue)
    NodeBeat.objects.filter(queues="bulk").update(detail={"took_ms": 41_000})
    found = doctor.check_canaries()
    assert found.level == "warning"
    assert found.message == "Work waits longer than it should for a free worker: bulk 41 s."
    assert found.data["waiting_seconds"]["bulk"] == 41.0
    with translation.override("zh-hans"):
        assert "批量 41 秒" in doctor.check_canaries().message
    # It has its own clock: a login code may not wait that long, a drain of bulk takes its time.
    NodeBeat.objects.filter(queues="bulk").update(detail={"took_ms": 20_000})
    assert doctor.check_canaries().level == "ok"
    NodeBeat.objects.filter(queues="realtime").update(detail={"took_ms": 6_000})
    assert "realtime 6 s" in doctor.check_canaries().message


def test_a_canary_that_is_overdue_waits_already() -> None:
    beat("canary:realtime", "canary", "realtime")
    beat("canary:housekeeping", "canary", "housekeeping")
    beat("canary:bulk", "canary", "bulk", seconds=100)
    assert "bulk 55 s" in doctor.check_canaries().message
