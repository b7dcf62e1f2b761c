"""The pages of long work, and the bell."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from notifyhub.staff.models import AuditEntry, Job
from notifyhub.staff.services import jobs
from notifyhub.staff.services.notices import notify
from notifyhub.staff.tests.factories import make_user

pytestmark = pytest.mark.django_db


def finished_job(user: Any) -> Job:
    """Return a job that ended with a file."""
    job = jobs.start_job(kind="file", title="Export", user=user)

    def run(job: Job) -> None:
        path = jobs.result_path(job, "result.csv")
        path.write_text("a,b\n")
        jobs.finish_job(job, result_file=path, result_name="customers.csv")

    jobs.register_runner("file", run)
    jobs.run_job(job_id=job.pk)
    jobs.runners._entries.pop("file")
    job.refresh_from_db()
    return job


def test_the_starter_watches_the_progress_until_polling_ends(client: Client) -> None:
    user = make_user("agent")
    client.force_login(user)
    job = jobs.start_job(kind="test", title="Import of May", user=user, total=10)

    page = client.get(reverse("admin:staff_job_page", args=[job.pk]))
    assert "Import of May" in page.content.decode()
    partial = client.get(reverse("admin:staff_job_progress", args=[job.pk]))
    assert partial.status_code == 200
    assert b"hx-get" in partial.content

    jobs.run_job(job_id=job.pk)
    partial = client.get(reverse("admin:staff_job_progress", args=[job.pk]))
    assert partial.status_code == 286
    assert b"hx-get" not in partial.content


def test_the_result_goes_to_the_starter_and_to_those_who_see_all_jobs(
    client: Client, tmp_path: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    job = finished_job(make_user("agent"))
    url = reverse("admin:staff_job_file", args=[job.pk])

    for viewer, status in (
        (job.started_by, 200),
        (make_user("operations"), 200),
        (make_user("marketing_editor"), 404),
    ):
        client.force_login(viewer)
        response = client.get(url)
        assert response.status_code == status
        if status == 200:
            assert response["Content-Disposition"] == 'attachment; filename="customers.csv"'
            assert b"".join(response.streaming_content) == b"a,b\n"
    assert AuditEntry.objects.filter(verb="download_job_file").count() == 2


def test_somebody_elses_job_is_not_there(client: Client) -> None:
    job = jobs.start_job(kind="test", title="Import", user=make_user("operations"))
    client.force_login(make_user("agent"))

    for name in ("page", "progress", "file", "cancel"):
        assert client.post(reverse(f"admin:staff_job_{name}", args=[job.pk])).status_code in (404, 405)
    assert "Import" not in client.get(reverse("admin:staff_job_changelist")).content.decode()
    job.refresh_from_db()
    assert job.state == "waiting"


def test_cancelling_needs_a_post(client: Client) -> None:
    user = make_user("agent")
    client.force_login(user)
    job = jobs.start_job(kind="test", title="Import", user=user)
    url = reverse("admin:staff_job_cancel", args=[job.pk])

    client.get(url)
    assert Job.objects.get().state == "waiting"
    client.post(url)
    assert Job.objects.get().state == "cancelled"


def test_the_job_list_asks_the_same_number_of_questions_for_more_rows(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    user = make_user("operations")
    client.force_login(user)
    for number in range(30):
        jobs.start_job(kind="test", title=f"Job {number}", user=user)
    with django_assert_max_num_queries(10):
        assert client.get(reverse("admin:staff_job_changelist")).status_code == 200


def test_the_bell_counts_what_is_unread_and_reading_needs_a_post(client: Client) -> None:
    user, other = make_user("agent"), make_user("operations")
    notify(recipients=[user, other], title="Import finished", url="/admin/")
    client.force_login(user)
    bell, read = reverse("admin:staff_notices"), reverse("admin:staff_notices_read")

    assert "1 unread notice" in client.get(bell).content.decode()
    assert client.get(read).status_code == 405
    assert client.post(read, {"notice": str(user.notices.get().pk)})["Location"] == "/admin/"
    assert "0 unread notices" in client.get(bell).content.decode()
    assert other.notices.get().read_at is None


@pytest.mark.parametrize("notice", ["x", "9" * 30, "-1", "²", "4711"])
def test_a_strange_notice_number_is_harmless(client: Client, notice: str) -> None:
    client.force_login(make_user("agent"))

    response = client.post(reverse("admin:staff_notices_read"), {"notice": notice})

    assert response.status_code == 302


def test_somebody_elses_notice_stays_unread(client: Client) -> None:
    other = make_user("operations")
    notify(recipients=[other], title="Alarm")
    client.force_login(make_user("agent"))

    client.post(reverse("admin:staff_notices_read"), {"notice": str(other.notices.get().pk)})

    assert other.notices.get().read_at is None
