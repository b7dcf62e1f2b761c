"""Exports as jobs, started by a person with a reason."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.services.exporting.exporting import CSV, XLSX, export_customers
from notifyhub.customers.services.exporting.rows import rule_of
from notifyhub.staff.models import Job, User
from notifyhub.staff.services import audit
from notifyhub.staff.services.jobs import finish_job, report_progress, result_path, start_job

JOB = "export_customers"


@transaction.atomic
def start_export(
    *, user: User, reason: str, form: str = CSV, segment_id: int | None = None, full: bool = False
) -> Job:
    """Start an export and write it into the audit trail; return its job.

    Raises Refused without a reason, or if full values are asked for by somebody who may not reveal them.
    """
    if not reason.strip():
        raise Refused(_("Say what the export is for."), field="reason")
    if not user.has_perm("customers.export_customer"):
        raise Refused(_("You may not export customers."))
    if full and not user.has_perm("customers.reveal_customer"):
        raise Refused(_("Full values need the permission to reveal phone and email."), field="full")
    if form not in (CSV, XLSX):
        raise Refused(_("Choose CSV or XLSX."), field="form")
    rule_of(segment_id)
    job = start_job(
        kind=JOB,
        title=_("Export customers"),
        payload={"form": form, "segment_id": segment_id, "full": full},
        user=user,
    )
    audit.record(
        verb="export_customers",
        obj=job,
        label=job.title,
        reason=reason.strip(),
        form=form,
        segment=segment_id,
        full=full,
    )
    return job


def run_export_job(job: Job) -> None:
    """Do the work of one export job; repeated after a crash it writes the file anew."""
    form = job.payload["form"]
    name = f"customers-{timezone.localdate():%Y-%m-%d}.{form}"
    path = result_path(job, name)

    def progress(done: int, total: int | None) -> None:
        report_progress(job, done=done, total=total)

    exported = export_customers(
        path=path,
        form=form,
        segment_id=job.payload["segment_id"],
        full=job.payload["full"],
        progress=progress,
    )
    audit.record(verb="finish_customer_export", obj=job, rows=exported.rows, full=exported.full)
    finish_job(job, result={"rows": exported.rows}, result_file=path, result_name=name)
