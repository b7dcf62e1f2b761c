"""Long work, from its start to its end, and what becomes of it when a process dies."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.staff.context import current_actor
from notifyhub.staff.models import Job, StaffNotice
from notifyhub.staff.services import jobs
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def runner() -> Any:
    """Register a runner for the kind "test" for the length of one test."""

    def register(run: Any) -> None:
        jobs.register_runner("test", run)

    yield register
    jobs.runners._entries.pop("test", None)


def test_it_runs_a_job_once_and_keeps_its_result(runner: Any) -> None:
    seen: list[str] = []

    def run(job: Job) -> None:
        seen.append(current_actor().name)
        jobs.report_progress(job, done=3, total=3)
        jobs.finish_job(job, result={"rows": 3})

    runner(run)
    user = make_user()
    job = jobs.start_job(kind="test", title="Count", user=user)

    assert jobs.run_job(job_id=job.pk)
    assert not jobs.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert (job.state, job.done, job.percent, job.result) == ("done", 3, 100, {"rows": 3})
    assert seen == ["root"]


def test_a_refusal_is_kept_in_the_language_of_the_starter(runner: Any) -> None:
    def run(job: Job) -> None:
        raise Refused(gettext_lazy("Enter a valid value."))

    runner(run)
    with translation.override("zh-hans"):
        job = jobs.start_job(kind="test", title="Count")
    jobs.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "输入一个有效的值。")


def test_an_unexpected_failure_shows_a_general_sentence(runner: Any) -> None:
    def run(job: Job) -> None:
        raise ZeroDivisionError("inner workings")

    runner(run)
    job = jobs.start_job(kind="test", title="Count")
    jobs.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert job.state == "failed"
    assert "inner workings" not in job.error


def test_a_job_of_a_dead_process_is_taken_over_and_the_first_one_is_fenced(runner: Any) -> None:
    lost: list[bool] = []

    def run(job: Job) -> None:
        Job.objects.filter(pk=job.pk).update(beat_at=Now() - timedelta(hours=1))
        if job.attempt == 1:
            assert jobs.run_job(job_id=job.pk)
            try:
                jobs.report_progress(job, done=1)
            except jobs.JobTaken:
                lost.append(True)
                raise

    runner(run)
    job = jobs.start_job(kind="test", title="Count")
    jobs.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert (job.state, job.attempt, job.done, lost) == ("done", 2, 0, [True])


def test_a_job_that_kills_its_process_three_times_is_given_up() -> None:
    job = jobs.start_job(kind="test", title="Count", user=make_user())
    Job.objects.filter(pk=job.pk).update(
        state="running",
        attempt=3,
        beat_at=Now() - timedelta(hours=1),
        created_at=Now() - timedelta(hours=1),
    )

    assert not jobs.run_job(job_id=job.pk)
    assert jobs.revive_jobs() == 0

    job.refresh_from_db()
    assert job.state == "failed"
    assert StaffNotice.objects.get().title == "Failed: Count"


def test_the_tick_rings_again_for_lost_bells_and_dead_processes() -> None:
    fresh = jobs.start_job(kind="test", title="Fresh")
    unheard = jobs.start_job(kind="test", title="Unheard")
    dead = jobs.start_job(kind="test", title="Dead")
    Job.objects.filter(pk=unheard.pk).update(created_at=Now() - timedelta(minutes=5))
    Job.objects.filter(pk=dead.pk).update(state="running", attempt=1, beat_at=Now() - timedelta(hours=1))

    assert jobs.revive_jobs() == 2
    assert fresh.attempt == 0


def test_a_cancelled_job_stops_at_its_next_sign_of_progress(runner: Any) -> None:
    def run(job: Job) -> None:
        jobs.cancel_job(job_id=job.pk)
        jobs.report_progress(job, done=1)

    runner(run)
    job = jobs.start_job(kind="test", title="Count")
    jobs.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert job.state == "cancelled"
    with pytest.raises(Refused):
        jobs.cancel_job(job_id=job.pk)


def test_a_result_file_outside_the_data_folder_is_refused(runner: Any) -> None:
    def run(job: Job) -> None:
        jobs.finish_job(job, result_file="/etc/passwd", result_name="users.csv")

    runner(run)
    job = jobs.start_job(kind="test", title="Count")
    jobs.run_job(job_id=job.pk)

    job.refresh_from_db()
    assert (job.state, job.result_file) == ("failed", "")
