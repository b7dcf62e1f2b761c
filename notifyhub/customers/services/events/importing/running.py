"""An import of events from its first row to its last, in chunks that each stand on their own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.events.importing.columns import check_mapping
from notifyhub.customers.services.events.importing.reading import read_event
from notifyhub.customers.services.events.names import Names, current_names
from notifyhub.customers.services.events.parking import put_aside, unknown_asides
from notifyhub.customers.services.events.recording import take_events, why_not
from notifyhub.customers.services.events.shapes import EventIn
from notifyhub.customers.services.importing.ahead import read_ahead
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.recording import keep_problems
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.importing.running import fingerprint_file
from notifyhub.customers.services.importing.tables import Table, open_table
from notifyhub.customers.services.upsert import RowProblem
from notifyhub.staff.models import User
from notifyhub.staff.services import audit

CHUNK = 2000
State, Kind = CustomerImport.State, CustomerImport.Kind
Chunk = tuple[int, list[EventIn], list[int], list[RowProblem]]


@dataclass
class Check:
    """What is wrong in the first rows of a file; `complete` if that is all of it."""

    good: int = 0
    bad: int = 0
    complete: bool = True
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Return how many rows were read."""
        return self.good + self.bad


@transaction.atomic
def begin_import(*, path: Path, file_name: str, plan: ImportPlan, user: User | None = None) -> CustomerImport:
    """Return the run for this file and plan: the one that was killed before its end, or a new one."""
    table = open_table(path, encoding=plan.encoding, delimiter=plan.delimiter)
    check_mapping(table.header, plan.mapping)
    sha, lines = fingerprint_file(path)
    runs = CustomerImport.objects.filter(kind=Kind.EVENTS, state=State.RUNNING)
    run = runs.filter(file_sha=sha, plan_sha=plan.fingerprint()).first()
    if run is not None:
        return run
    run = CustomerImport.objects.create(
        kind=Kind.EVENTS,
        file_name=file_name[-200:],
        path=str(path),
        file_sha=sha,
        plan=plan.as_json(),
        plan_sha=plan.fingerprint(),
        state=State.RUNNING,
        total=lines - 1 if table.kind == "csv" and lines > 1 else None,
        started_by=user,
    )
    audit_start(run, plan)
    return run


def audit_start(run: CustomerImport, plan: ImportPlan) -> None:
    """Write into the audit trail who imports what."""
    used = [one for one in plan.mapping if one]
    audit.record(verb="import_events", obj=run, mapping=used, file_sha=run.file_sha)


def run_import(*, run_id: int, progress: Callable[[int, int | None], None] | None = None) -> CustomerImport:
    """Read the file of a run from where it stands to its end; return the run, done.

    Each chunk commits its events, problems and the cursor together: killed at any moment, the run goes on
    with the next chunk. Raises Refused if the file is gone or another process runs it.
    """
    run = CustomerImport.objects.get(pk=run_id, kind=Kind.EVENTS)
    plan = ImportPlan.from_json(run.plan)
    path = Path(run.path)
    if not path.is_file():
        raise Refused(_("The file of this import is gone. Upload it again."))
    table = open_table(path, encoding=plan.encoding, delimiter=plan.delimiter)
    check_mapping(table.header, plan.mapping)
    for chunk in read_ahead(_chunks(table, plan, current_names(), skip=run.cursor)):
        with transaction.atomic():
            _take_chunk(run, chunk)
        run.refresh_from_db()
        if progress is not None:
            progress(run.cursor, max(run.total or 0, run.cursor) if run.total else None)
    return _finish(run)


def check_file(path: Path, plan: ImportPlan, *, limit: int | None = None, keep: int = 20) -> Check:
    """Return what is wrong with the events of a file (or its first `limit` rows), writing nothing."""
    table = open_table(path, encoding=plan.encoding, delimiter=plan.delimiter)
    check, names = Check(), current_names()
    records = table.records()
    for record in islice(records, limit):
        event = read_event(record, plan.mapping, names)
        problem: RowProblem | None = event if isinstance(event, RowProblem) else None
        if isinstance(event, EventIn) and (wrong := why_not(event)) is not None:
            problem = _said(record.line, wrong.field, wrong.message)
        if problem is None:
            check.good += 1
            continue
        check.bad += 1
        if len(check.problems) < keep:
            check.problems.append(problem)
    check.complete = limit is None or next(records, None) is None
    return check


def _said(line: int, name: str, message: str) -> RowProblem:
    return RowProblem(line=line, code="said", column=name, params={"text": message})


def _chunks(table: Table, plan: ImportPlan, names: Names, *, skip: int) -> Iterator[Chunk]:
    records: Iterator[Record] = islice(table.records(), skip, None)
    while chunk := list(islice(records, CHUNK)):
        events: list[EventIn] = []
        lines: list[int] = []
        problems: list[RowProblem] = []
        for record in chunk:
            event = read_event(record, plan.mapping, names)
            if isinstance(event, RowProblem):
                problems.append(event)
            else:
                events.append(event)
                lines.append(record.line)
        yield len(chunk), events, lines, problems


def _take_chunk(run: CustomerImport, chunk: Chunk) -> None:
    read, events, lines, problems = chunk
    result = take_events(events)
    asides = unknown_asides(events, result)
    put_aside(asides)
    refused = [*problems, *(_said(lines[p.index], p.field, p.message) for p in result.problems)]
    keep_problems(run_id=run.pk, problems=refused)
    moved = CustomerImport.objects.filter(pk=run.pk, cursor=run.cursor, state=State.RUNNING).update(
        cursor=run.cursor + read,
        created=F("created") + result.accepted,
        duplicates=F("duplicates") + result.repeated,
        parked=F("parked") + len(asides),
        people=F("people") + result.customers_created,
        bad=F("bad") + len(refused),
    )
    if not moved:
        raise Refused(_("Another process imports this file already."))


def _finish(run: CustomerImport) -> CustomerImport:
    with transaction.atomic():
        done = CustomerImport.FLOW.advance(
            CustomerImport.objects.filter(pk=run.pk, cursor=run.cursor),
            to=State.DONE,
            finished_at=timezone.now(),
            total=run.cursor,
        )
        run.refresh_from_db()
        if done:
            counts = {name: getattr(run, name) for name in ("created", "duplicates", "parked", "bad")}
            audit.record(verb="finish_event_import", obj=run, **counts)
    return run
