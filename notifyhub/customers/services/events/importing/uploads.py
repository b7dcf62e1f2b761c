"""Uploaded files of events, from the draft to the job."""

from pathlib import Path

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.events.importing.columns import check_mapping, guess_mapping
from notifyhub.customers.services.events.importing.running import audit_start, run_import
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.previews import sample_file
from notifyhub.customers.services.importing.tables import open_table
from notifyhub.customers.services.importing.uploads import change_draft, keep_file
from notifyhub.staff.models import Job, User
from notifyhub.staff.services.jobs import finish_job, report_progress, start_job

JOB = "import_events"
State, Kind = CustomerImport.State, CustomerImport.Kind


def store_upload(*, upload: UploadedFile, user: User) -> CustomerImport:
    """Keep an uploaded file and return its draft, the columns mapped as guessed.

    Raises Refused (and keeps nothing) if the file is no table.
    """
    kept = keep_file(upload)
    try:
        sample = sample_file(kept.path, guess=guess_mapping)
        plan = ImportPlan(mapping=tuple(sample.mapping), encoding=sample.encoding, delimiter=sample.delimiter)
        return CustomerImport.objects.create(
            kind=Kind.EVENTS,
            file_name=(upload.name or "")[-200:],
            path=str(kept.path),
            file_sha=kept.sha,
            plan=plan.as_json(),
            total=kept.lines - 1 if sample.kind == "csv" and kept.lines > 1 else None,
            started_by=user,
        )
    except BaseException:
        kept.path.unlink(missing_ok=True)
        raise


def read_draft_again(*, run_id: int, encoding: str, delimiter: str) -> CustomerImport:
    """Read the file with another encoding or delimiter and guess its columns anew; return the draft."""
    run = CustomerImport.objects.get(pk=run_id)
    sample = sample_file(Path(run.path), encoding=encoding, delimiter=delimiter, guess=guess_mapping)
    return change_draft(
        run_id=run_id, encoding=sample.encoding, delimiter=sample.delimiter, mapping=sample.mapping
    )


def map_draft(*, run_id: int, mapping: list[str]) -> CustomerImport:
    """Keep what the columns mean; raise Refused if no events could be made of them."""
    run = CustomerImport.objects.get(pk=run_id)
    plan = ImportPlan.from_json(run.plan)
    table = open_table(Path(run.path), encoding=plan.encoding, delimiter=plan.delimiter)
    check_mapping(table.header, mapping)
    return change_draft(run_id=run_id, mapping=mapping)


@transaction.atomic
def start_import(*, run_id: int, user: User, title: str, url: str) -> CustomerImport:
    """Start the draft as a job; return it. Raises Refused if it runs already or its file is gone."""
    run = CustomerImport.objects.select_for_update().get(pk=run_id)
    if not Path(run.path).is_file():
        raise Refused(_("The file of this import is gone. Upload it again."))
    plan = ImportPlan.from_json(run.plan)
    job = start_job(kind=JOB, title=title, payload={"import_id": run.pk}, user=user, total=run.total, url=url)
    moved = CustomerImport.FLOW.advance(
        CustomerImport.objects.filter(pk=run_id), to=State.RUNNING, plan_sha=plan.fingerprint(), job=job
    )
    if not moved:
        raise Refused(_("This import has started already."))
    run.refresh_from_db()
    audit_start(run, plan)
    return run


def run_import_job(job: Job) -> None:
    """Do the work of one import job; taken over by another process, it goes on where it stopped."""

    def progress(done: int, total: int | None) -> None:
        report_progress(job, done=done, total=total)

    run = run_import(run_id=job.payload["import_id"], progress=progress)
    Path(run.path).unlink(missing_ok=True)
    counts = ("created", "duplicates", "parked", "people", "bad")
    finish_job(job, result={name: getattr(run, name) for name in counts})
