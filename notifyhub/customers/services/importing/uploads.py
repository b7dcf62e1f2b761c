"""Files that people upload: kept privately for a day, read by the import's pages and its job."""

import hashlib
import os
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.columns import check_mapping
from notifyhub.customers.services.importing.plans import ConsentPlan, ImportPlan
from notifyhub.customers.services.importing.previews import sample_file
from notifyhub.customers.services.importing.running import audit_start, run_import
from notifyhub.customers.services.importing.tables import open_table
from notifyhub.staff.models import Job, User
from notifyhub.staff.services.jobs import finish_job, report_progress, start_job

JOB = "import_customers"
MAX_UPLOAD = 300 << 20
KEEP = timedelta(hours=24)
State = CustomerImport.State


def uploads_folder() -> Path:
    """Return the folder of uploads, which only this account may read."""
    folder = Path(settings.DATA_DIR) / "private" / "imports"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@dataclass(frozen=True)
class KeptFile:
    """Where an upload lies, its SHA-256, and how many lines it has, about."""

    path: Path
    sha: str
    lines: int


def keep_file(upload: UploadedFile) -> KeptFile:
    """Write an upload where only this account may read it; raise Refused if it is too large."""
    if (upload.size or 0) > MAX_UPLOAD:
        raise Refused(
            _("The file is larger than %d MB. Use the command for it.") % (MAX_UPLOAD >> 20), field="file"
        )
    path = uploads_folder() / uuid.uuid4().hex
    digest = hashlib.sha256()
    lines = 0
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for block in upload.chunks():
                file.write(block)
                digest.update(block)
                lines += block.count(b"\n")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return KeptFile(path=path, sha=digest.hexdigest(), lines=lines)


def store_upload(*, upload: UploadedFile, user: User) -> CustomerImport:
    """Keep an uploaded file and return its draft, the columns mapped as guessed.

    Raises Refused (and keeps nothing) if the file is no table.
    """
    kept = keep_file(upload)
    path, lines = kept.path, kept.lines
    try:
        sample = sample_file(path)
        if len(sample.header) > 200:
            raise Refused(_("The file has more than %d columns.") % 200, field="file")
        plan = ImportPlan(mapping=tuple(sample.mapping), encoding=sample.encoding, delimiter=sample.delimiter)
        return CustomerImport.objects.create(
            file_name=(upload.name or "")[-200:],
            path=str(path),
            file_sha=kept.sha,
            plan=plan.as_json(),
            total=lines - 1 if sample.kind == "csv" and lines > 1 else None,
            started_by=user,
        )
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def change_draft(*, run_id: int, **changes: Any) -> CustomerImport:
    """Write `changes` into the plan of a draft; return it. Raises Refused once it has started."""
    with transaction.atomic():
        run = CustomerImport.objects.select_for_update().get(pk=run_id)
        if run.state != State.DRAFT:
            raise Refused(_("This import has started already."))
        run.plan = {**run.plan, **changes}
        run.save(update_fields=["plan"])
    return run


def read_draft_again(*, run_id: int, encoding: str, delimiter: str) -> CustomerImport:
    """Read the file with another encoding or delimiter and guess its columns anew; return the draft."""
    run = CustomerImport.objects.get(pk=run_id)
    sample = sample_file(Path(run.path), encoding=encoding, delimiter=delimiter)
    return change_draft(
        run_id=run_id, encoding=sample.encoding, delimiter=sample.delimiter, mapping=sample.mapping
    )


def map_draft(*, run_id: int, mapping: list[str]) -> CustomerImport:
    """Keep what the columns mean; raise Refused if nobody could be found by them."""
    run = CustomerImport.objects.get(pk=run_id)
    plan = ImportPlan.from_json(run.plan)
    table = open_table(Path(run.path), encoding=plan.encoding, delimiter=plan.delimiter)
    check_mapping(table.header, mapping)
    return change_draft(run_id=run_id, mapping=mapping)


def decide_consent(*, run_id: int, consent: ConsentPlan | None, list_id: int | None = None) -> CustomerImport:
    """Keep what the people in the file agreed to (None says plainly: to nothing) and the list they go on."""
    plan = ImportPlan(mapping=(), consent=consent).as_json()
    return change_draft(run_id=run_id, consent=plan["consent"], consent_decided=True, list_id=list_id)


@transaction.atomic
def start_import(*, run_id: int, user: User, title: str, url: str) -> CustomerImport:
    """Start the draft as a job; return it. Raises Refused if it runs already or lacks a decision."""
    run = CustomerImport.objects.select_for_update().get(pk=run_id)
    if not run.plan.get("consent_decided"):
        raise Refused(_("Say first whether the people in this file agreed to promotions."))
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
    counts = ("created", "updated", "unchanged", "duplicates", "bad", "consents", "opt_outs_kept")
    finish_job(job, result={name: getattr(run, name) for name in counts})


def discard_draft(*, run_id: int) -> None:
    """Forget a draft and its file."""
    run = CustomerImport.objects.filter(pk=run_id, state=State.DRAFT).first()
    if run is not None:
        Path(run.path).unlink(missing_ok=True)
        run.delete()


def sweep_uploads() -> int:
    """Delete uploads that are a day old, and drafts nobody came back to; return how many files went."""
    old = timezone.now() - KEEP
    folder = uploads_folder()
    running = CustomerImport.objects.filter(state=State.RUNNING, job__state__in=("waiting", "running"))
    busy = set(running.values_list("path", flat=True))
    gone = 0
    for path in folder.iterdir():
        if path.is_file() and path.stat().st_mtime < old.timestamp() and str(path) not in busy:
            path.unlink(missing_ok=True)
            gone += 1
    CustomerImport.objects.filter(Q(state=State.DRAFT), created_at__lt=old).delete()
    return gone
