"""An import by clicking: the file as it is understood, its draft, and the job that runs it."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import ClassVar

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.chunks import Row, read_chunks
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.previews import SAMPLE, Check, Sample
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.importing.running import Runner
from notifyhub.customers.services.importing.tables import open_table
from notifyhub.customers.services.importing.uploads import change_draft, file_of, keep_file
from notifyhub.customers.services.upsert import RowProblem
from notifyhub.staff.models import Job, User
from notifyhub.staff.services.jobs import finish_job, report_progress, start_job

CHECKED_AT_ONCE = 5000
State = CustomerImport.State


class Importer(Runner[Row]):
    """The import of one kind of row, from the upload on; its jobs are named like its verb."""

    counts: ClassVar[tuple[str, ...]]  # what a job shows of its run

    @abstractmethod
    def show_cells(self, record: Record, mapping: Sequence[str]) -> Sequence[str] | RowProblem:
        """Return the cells of a record as people may see them, phone and email masked; or what is wrong."""

    def checker(self, plan: ImportPlan) -> Callable[[Record], Row | RowProblem]:
        """Return the reader of a dry run, which may find more than `reader`."""
        return self.reader(plan)

    def weigh_rows(self, check: Check, rows: Sequence[Row]) -> None:
        """Count into `check` what would become of the rows."""
        check.good += len(rows)

    def check_upload(self, sample: Sample) -> None:
        """Raise Refused if a draft of this file is not worth keeping."""

    def check_start(self, run: CustomerImport) -> None:
        """Raise Refused if the draft lacks a decision."""

    def sample_file(self, path: Path, *, encoding: str = "", delimiter: str = "") -> Sample:
        """Return the first 20 rows with the guessed mapping; raise Refused if the file is no table."""
        table = open_table(path, encoding=encoding, delimiter=delimiter)
        return Sample(
            kind=table.kind,
            encoding=table.encoding,
            delimiter=table.delimiter,
            header=table.header,
            mapping=self.vocabulary.guess_mapping(table.header),
            records=list(islice(table.records(), SAMPLE)),
        )

    def check_file(self, path: Path, plan: ImportPlan, *, limit: int | None = None) -> Check:
        """Return what a run over the file (or its first `limit` rows) would do, writing nothing."""
        records = plan.open(path).records()
        check = Check()
        for chunk in read_chunks(islice(records, limit), self.checker(plan), size=CHECKED_AT_ONCE):
            for problem in chunk.problems:
                check.refuse(problem)
            self.weigh_rows(check, chunk.rows)
        check.complete = limit is None or next(records, None) is None
        return check

    def store_upload(self, *, upload: UploadedFile, user: User) -> CustomerImport:
        """Keep an uploaded file and return its draft, the columns mapped as guessed.

        Raises Refused (and keeps nothing) if the file is no table.
        """
        kept = keep_file(upload)
        try:
            found = self.sample_file(kept.path)
            self.check_upload(found)
            plan = ImportPlan(tuple(found.mapping), encoding=found.encoding, delimiter=found.delimiter)
            return self.create_run(kept, found, plan, file_name=upload.name or "", started_by=user)
        except BaseException:
            kept.path.unlink(missing_ok=True)
            raise

    def read_draft_again(self, *, run_id: int, encoding: str, delimiter: str) -> CustomerImport:
        """Read the file with another encoding or delimiter and guess its columns anew; return the draft."""
        run = CustomerImport.objects.get(pk=run_id)
        found = self.sample_file(Path(run.path), encoding=encoding, delimiter=delimiter)
        return change_draft(
            run_id=run_id, encoding=found.encoding, delimiter=found.delimiter, mapping=found.mapping
        )

    def map_draft(self, *, run_id: int, mapping: list[str]) -> CustomerImport:
        """Keep what the columns mean and return the draft; raise Refused if no rows could be made of them."""
        run = CustomerImport.objects.get(pk=run_id)
        table = ImportPlan.from_json(run.plan).open(Path(run.path))
        self.vocabulary.check_mapping(table.header, mapping)
        return change_draft(run_id=run_id, mapping=mapping)

    @transaction.atomic
    def start_import(self, *, run_id: int, user: User, title: str, url: str) -> CustomerImport:
        """Start the draft as a job; return it. Raises Refused if it runs already or lacks a decision."""
        run = CustomerImport.objects.select_for_update().get(pk=run_id)
        self.check_start(run)
        file_of(run)
        plan = ImportPlan.from_json(run.plan)
        job = start_job(
            kind=self.verb, title=title, payload={"import_id": run.pk}, user=user, total=run.total, url=url
        )
        moved = CustomerImport.FLOW.advance(
            CustomerImport.objects.filter(pk=run_id), to=State.RUNNING, plan_sha=plan.fingerprint(), job=job
        )
        if not moved:
            raise Refused(_("This import has started already."))
        run.refresh_from_db()
        self.audit_start(run, plan)
        return run

    def run_job(self, job: Job) -> None:
        """Do the work of one import job; taken over by another process, it goes on where it stopped."""

        def progress(done: int, total: int | None) -> None:
            report_progress(job, done=done, total=total)

        run = self.run_import(run_id=job.payload["import_id"], progress=progress)
        Path(run.path).unlink(missing_ok=True)
        finish_job(job, result=run.numbers(self.counts))
