"""What happens when two processes do the same at the same moment: one wins, nothing breaks."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection

from notifyhub.core.registry import Tick, ticks
from notifyhub.staff.models import ApiUsage, AuditLink, IdempotentRequest, Job, TickLease
from notifyhub.staff.services import audit, jobs
from notifyhub.staff.services.api_keys import count_request, create_api_key
from notifyhub.staff.services.idempotency import Claim, claim
from notifyhub.staff.services.sealing import seal_entries, verify_chain
from notifyhub.staff.services.ticks import run_due_ticks

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work: Callable[[], Any], times: int = 4) -> list[Any]:
    """Run `work` in so many threads that start together; return what each gave back."""
    gate = Barrier(times)

    def run() -> Any:
        try:
            connection.ensure_connection()
            gate.wait(timeout=20)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        return [done.result() for done in [pool.submit(run) for _ in range(times)]]


@pytest.fixture
def one_tick() -> Iterator[list[int]]:
    """Leave one registered tick that counts its runs."""
    kept, runs = ticks._entries, []
    ticks._entries = {}
    ticks.register("count", Tick(run=lambda: runs.append(1) or 1, every_seconds=60, label="count"))
    yield runs
    ticks._entries = kept


def test_a_due_tick_runs_once(one_tick: list[int]) -> None:
    answers = at_once(run_due_ticks)
    assert sorted(answers, key=len) == [{}, {}, {}, {"count": 1}]
    assert len(one_tick) == 1
    assert TickLease.objects.get().owner == ""


def test_a_job_is_run_by_one_process() -> None:
    ran: list[int] = []
    jobs.register_runner("test", lambda job: ran.append(job.pk))
    job = jobs.start_job(kind="test", title="Count")
    answers = at_once(lambda: jobs.run_job(job_id=job.pk))
    jobs.runners._entries.pop("test")

    assert sorted(answers) == [False, False, False, True]
    assert ran == [job.pk]


def test_a_long_job_gives_signs_of_life_of_its_own(settings: Any) -> None:
    settings.LEASE_SECONDS = 1
    seen = Event()

    def run(job: Job) -> None:
        began = Job.objects.get(pk=job.pk).beat_at
        for _look in range(200):
            if Job.objects.get(pk=job.pk).beat_at != began:
                seen.set()
                return
            Event().wait(0.05)

    jobs.register_runner("test", run)
    job = jobs.start_job(kind="test", title="Count")
    jobs.run_job(job_id=job.pk)
    jobs.runners._entries.pop("test")
    assert seen.is_set()


def test_the_chain_does_not_fork() -> None:
    for _number in range(30):
        audit.record(verb="test")
    at_once(seal_entries)
    seal_entries()

    assert AuditLink.objects.count() == 30
    assert verify_chain().problem == ""


def test_each_request_is_counted() -> None:
    key, _token = create_api_key(name="shop", scopes=["events:write"])
    at_once(lambda: [count_request(key=key) for _ in range(10)])
    assert sum(ApiUsage.objects.values_list("count", flat=True)) == 40


def test_one_request_gets_the_claim() -> None:
    key, _token = create_api_key(name="shop", scopes=["events:write"])
    answers = at_once(lambda: claim(key=key, token="a", request_hash=b"x" * 32))
    assert sum(isinstance(answer, Claim) for answer in answers) == 1
    assert IdempotentRequest.objects.count() == 1
