"""An import from its first row to its last, in chunks that each stand on their own."""

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing import recording
from notifyhub.customers.services.importing.ahead import read_ahead
from notifyhub.customers.services.importing.columns import check_mapping
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.reading import read_row
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.importing.tables import Table, open_table
from notifyhub.customers.services.upsert import CustomerRow, Outcome, RowProblem, upsert_customers
from notifyhub.customers.services.upsert.staging import Source
from notifyhub.staff.context import current_actor
from notifyhub.staff.models import User
from notifyhub.staff.services import audit

CHUNK = 5000
State = CustomerImport.State


def fingerprint_file(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file and how many lines it has, about."""
    digest = hashlib.sha256()
    lines = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            lines += block.count(b"\n")
    return digest.hexdigest(), lines


@transaction.atomic
def begin_import(*, path: Path, file_name: str, plan: ImportPlan, user: User | None = None) -> CustomerImport:
    """Return the run for this file and plan: the one that was killed before its end, or a new one.

    Raises Refused if no customer could be found by the plan's columns.
    """
    table = open_table(path, encoding=plan.encoding, delimiter=plan.delimiter)
    check_mapping(table.header, plan.mapping)
    sha, lines = fingerprint_file(path)
    run = CustomerImport.objects.filter(
        file_sha=sha, plan_sha=plan.fingerprint(), state=State.RUNNING, kind=CustomerImport.Kind.CUSTOMERS
    ).first()
    if run is not None:
        return run
    run = CustomerImport.objects.create(
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
    """Write into the audit trail who imports what, and on whose consent."""
    consent = plan.consent
    audit.record(
        verb="import_customers",
        obj=run,
        mapping=[field for field in plan.mapping if field],
        consent=[list(pair) for pair in consent.grants] if consent else [],
        consent_source=consent.source if consent else "",
        list=plan.list_id,
        file_sha=run.file_sha,
    )


def run_import(*, run_id: int, progress: Callable[[int, int | None], None] | None = None) -> CustomerImport:
    """Read the file of a run from where it stands to its end; return the run, done.

    Each chunk commits its customers, consents, problems and the cursor together: killed at any moment, the
    run goes on with the next chunk. Raises Refused if the file is gone or another process runs it.
    """
    run = CustomerImport.objects.get(pk=run_id)
    plan = ImportPlan.from_json(run.plan)
    path = Path(run.path)
    if not path.is_file():
        raise Refused(_("The file of this import is gone. Upload it again."))
    table = open_table(path, encoding=plan.encoding, delimiter=plan.delimiter)
    check_mapping(table.header, plan.mapping)
    by = str(run.started_by or current_actor().name)
    for read, rows, problems in read_ahead(_chunks(table, plan, skip=run.cursor)):
        with transaction.atomic():
            _take_chunk(run, plan, read, rows, problems, by)
        run.refresh_from_db()
        if progress is not None:
            progress(run.cursor, max(run.total or 0, run.cursor) if run.total else None)
    return _finish(run)


def _chunks(
    table: Table, plan: ImportPlan, *, skip: int
) -> Iterator[tuple[int, list[CustomerRow], list[RowProblem]]]:
    records: Iterator[Record] = islice(table.records(), skip, None)
    while chunk := list(islice(records, CHUNK)):
        rows: list[CustomerRow] = []
        problems: list[RowProblem] = []
        for record in chunk:
            row = read_row(record, plan.mapping)
            if isinstance(row, RowProblem):
                problems.append(row)
            else:
                rows.append(row)
        yield len(chunk), rows, problems


def _take_chunk(
    run: CustomerImport,
    plan: ImportPlan,
    read: int,
    rows: list[CustomerRow],
    problems: list[RowProblem],
    by: str,
) -> None:
    counts = {"duplicates": 0, "consents": 0, "opt_outs_kept": 0}
    repeats: list[tuple[int, int]] = []

    def beside(outcome: Outcome, people: Source) -> None:
        repeats[:] = [*outcome.repeats, *recording.note_seen(run_id=run.pk, people=people)]
        if plan.list_id is not None:
            recording.put_on_list(list_id=plan.list_id, people=people)
        if plan.consent is not None:
            counts["consents"], counts["opt_outs_kept"] = recording.record_consents(
                people=people, consent=plan.consent, by=by
            )

    outcome = upsert_customers(rows=rows, then=beside)
    counts["duplicates"] = len(repeats)
    refused = [*problems, *outcome.problems]
    repeated = [RowProblem(line=old, code="repeated", params={"by": new}) for old, new in repeats]
    recording.keep_problems(run_id=run.pk, problems=[*refused, *repeated])
    recording.move_cursor(run=run, read=read, outcome=outcome, bad=len(refused), counts=counts)


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
            recording.forget_seen(run_id=run.pk)
            if run.plan.get("list_id"):
                recording.count_list(list_id=run.plan["list_id"])
            audit.record(
                verb="finish_customer_import",
                obj=run,
                created=run.created,
                updated=run.updated,
                unchanged=run.unchanged,
                bad=run.bad,
                duplicates=run.duplicates,
                consents=run.consents,
            )
    if done and run.created > CHUNK:
        # Fresh statistics for the planners of audiences; autovacuum comes a minute too late.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE customers_customer, customers_contactpoint, customers_consent")
    return run
