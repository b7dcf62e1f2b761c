"""A run from its first row to its last, in chunks that each stand on their own."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Generic

from django.db import transaction
from django.utils import timezone

from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing.ahead import read_ahead
from notifyhub.customers.services.importing.chunks import Chunk, Row, read_chunks
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.previews import Sample
from notifyhub.customers.services.importing.recording import keep_problems, move_cursor
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.importing.tables import Table
from notifyhub.customers.services.importing.uploads import KeptFile, file_of, fingerprint_file
from notifyhub.customers.services.importing.vocabulary import Vocabulary
from notifyhub.customers.services.upsert import RowProblem
from notifyhub.staff.services import audit

State = CustomerImport.State


class Runner(ABC, Generic[Row]):
    """The runs of one kind of import.

    `verb` tells the audit trail of a start, `finished` of an end, with the numbers in `audited`.
    """

    kind: ClassVar[CustomerImport.Kind]
    verb: ClassVar[str]
    finished: ClassVar[str]
    vocabulary: ClassVar[Vocabulary]
    chunk: ClassVar[int]
    audited: ClassVar[tuple[str, ...]]

    @abstractmethod
    def reader(self, plan: ImportPlan) -> Callable[[Record], Row | RowProblem]:
        """Return what makes a row of a record without asking the database."""

    @abstractmethod
    def take_chunk(
        self, run: CustomerImport, plan: ImportPlan, chunk: Chunk[Row]
    ) -> tuple[Sequence[RowProblem], Mapping[str, int]]:
        """Write a chunk; return its problems, and by how much which numbers of the run grow."""

    def start_facts(self, plan: ImportPlan) -> dict[str, Any]:
        """Return what the audit trail says of a start besides the columns and the file."""
        return {}

    def close_run(self, run: CustomerImport) -> None:
        """Do what is left after the last row, in the transaction that ends the run."""

    @transaction.atomic
    def begin_import(self, *, path: Path, file_name: str, plan: ImportPlan) -> CustomerImport:
        """Return the run for this file and plan: the one that was killed before its end, or a new one.

        Raises Refused if no rows could be made of the plan's columns.
        """
        table = plan.open(path)
        self.vocabulary.check_mapping(table.header, plan.mapping)
        kept = fingerprint_file(path)
        runs = CustomerImport.objects.filter(kind=self.kind, state=State.RUNNING)
        run = runs.filter(file_sha=kept.sha, plan_sha=plan.fingerprint()).first()
        if run is None:
            begun = {"plan_sha": plan.fingerprint(), "state": State.RUNNING}
            run = self.create_run(kept, table, plan, file_name=file_name, **begun)
            self.audit_start(run, plan)
        return run

    def run_import(
        self, *, run_id: int, progress: Callable[[int, int | None], None] | None = None
    ) -> CustomerImport:
        """Read the file of a run from where it stands to its end; return the run, done.

        Each chunk commits its rows, problems and the cursor together: killed at any moment, the run goes on
        with the next chunk. Raises Refused if the file is gone or another process runs it.
        """
        run = CustomerImport.objects.get(pk=run_id, kind=self.kind)
        plan = ImportPlan.from_json(run.plan)
        table = plan.open(file_of(run))
        self.vocabulary.check_mapping(table.header, plan.mapping)
        records = islice(table.records(), run.cursor, None)
        for chunk in read_ahead(read_chunks(records, self.reader(plan), size=self.chunk)):
            with transaction.atomic():
                problems, counts = self.take_chunk(run, plan, chunk)
                keep_problems(run_id=run.pk, problems=problems)
                move_cursor(run=run, read=chunk.read, counts=counts)
            run.refresh_from_db()
            if progress is not None:
                progress(run.cursor, max(run.total or 0, run.cursor) if run.total else None)
        self.finish_run(run)
        return run

    def finish_run(self, run: CustomerImport) -> bool:
        """End a run whose rows are all read; say whether it was this call that ended it."""
        with transaction.atomic():
            done = CustomerImport.FLOW.advance(
                CustomerImport.objects.filter(pk=run.pk, cursor=run.cursor),
                to=State.DONE,
                finished_at=timezone.now(),
                total=run.cursor,
            )
            run.refresh_from_db()
            if done:
                self.close_run(run)
                audit.record(verb=self.finished, obj=run, **run.numbers(self.audited))
        return bool(done)

    def create_run(
        self, kept: KeptFile, table: Sample | Table, plan: ImportPlan, *, file_name: str, **facts: Any
    ) -> CustomerImport:
        """Return a new row for a file, a draft unless `facts` say otherwise."""
        return CustomerImport.objects.create(
            kind=self.kind,
            file_name=file_name[-200:],
            path=str(kept.path),
            file_sha=kept.sha,
            plan=plan.as_json(),
            total=kept.lines - 1 if table.kind == "csv" and kept.lines > 1 else None,
            **facts,
        )

    def audit_start(self, run: CustomerImport, plan: ImportPlan) -> None:
        """Write into the audit trail who imports what."""
        used = [field for field in plan.mapping if field]
        audit.record(verb=self.verb, obj=run, mapping=used, file_sha=run.file_sha, **self.start_facts(plan))
