"""The import of customers: their consents, who comes again, and the list they go on."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.importing import recording
from notifyhub.customers.services.importing.chunks import Chunk
from notifyhub.customers.services.importing.columns import CUSTOMER_COLUMNS
from notifyhub.customers.services.importing.importer import Importer
from notifyhub.customers.services.importing.plans import ConsentPlan, ImportPlan
from notifyhub.customers.services.importing.previews import Check, Sample
from notifyhub.customers.services.importing.reading import read_row
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.importing.uploads import change_draft
from notifyhub.customers.services.importing.vocabulary import check_width
from notifyhub.customers.services.upsert import (
    CustomerRow,
    Outcome,
    RowProblem,
    match_customers,
    upsert_customers,
)
from notifyhub.customers.services.upsert.staging import Source
from notifyhub.staff.context import current_actor


class CustomerImporter(Importer[CustomerRow]):
    """Creates and changes customers, and records what they agreed to."""

    kind = CustomerImport.Kind.CUSTOMERS
    verb = "import_customers"
    finished = "finish_customer_import"
    vocabulary = CUSTOMER_COLUMNS
    chunk = 5000
    audited = ("created", "updated", "unchanged", "bad", "duplicates", "consents")
    counts = (*audited, "opt_outs_kept")

    def reader(self, plan: ImportPlan) -> Callable[[Record], CustomerRow | RowProblem]:
        return partial(read_row, mapping=plan.mapping)

    def show_cells(self, record: Record, mapping: Sequence[str]) -> Sequence[str] | RowProblem:
        if record.problem is None and len(mapping) != len(record.cells):
            return record.cells  # mapped in another tab, before the file was read with other columns
        row = read_row(record, mapping)
        if isinstance(row, RowProblem):
            return row
        return [
            row.contacts[field].masked if field in row.contacts else cell
            for field, cell in zip(mapping, record.cells, strict=True)
        ]

    def weigh_rows(self, check: Check, rows: Sequence[CustomerRow]) -> None:
        outcome = match_customers(rows=rows)
        for problem in outcome.problems:
            check.refuse(problem)
        check.good += len(rows) - len(outcome.problems)
        check.created += outcome.created
        check.known += outcome.updated
        check.repeated += len(outcome.repeats)

    def check_upload(self, sample: Sample) -> None:
        check_width(sample.header)

    def check_start(self, run: CustomerImport) -> None:
        if not run.plan.get("consent_decided"):
            raise Refused(_("Say first whether the people in this file agreed to promotions."))

    def start_facts(self, plan: ImportPlan) -> dict[str, Any]:
        consent = plan.consent
        return {
            "consent": [list(pair) for pair in consent.grants] if consent else [],
            "consent_source": consent.source if consent else "",
            "list": plan.list_id,
        }

    def take_chunk(
        self, run: CustomerImport, plan: ImportPlan, chunk: Chunk[CustomerRow]
    ) -> tuple[Sequence[RowProblem], Mapping[str, int]]:
        counts = {"consents": 0, "opt_outs_kept": 0}
        repeats: list[tuple[int, int]] = []

        def beside(outcome: Outcome, people: Source) -> None:
            repeats[:] = [*outcome.repeats, *recording.note_seen(run_id=run.pk, people=people)]
            if plan.list_id is not None:
                recording.put_on_list(list_id=plan.list_id, people=people)
            if plan.consent is not None:
                by = str(run.started_by or current_actor().name)
                counts["consents"], counts["opt_outs_kept"] = recording.record_consents(
                    people=people, consent=plan.consent, by=by
                )

        outcome = upsert_customers(rows=chunk.rows, then=beside)
        refused = [*chunk.problems, *outcome.problems]
        repeated = [RowProblem(line=old, code="repeated", params={"by": new}) for old, new in repeats]
        return [*refused, *repeated], {
            "created": outcome.created,
            "updated": outcome.updated,
            "unchanged": outcome.unchanged,
            "duplicates": len(repeats),
            "bad": len(refused),
            **counts,
        }

    def close_run(self, run: CustomerImport) -> None:
        recording.forget_seen(run_id=run.pk)
        if run.plan.get("list_id"):
            recording.count_list(list_id=run.plan["list_id"])

    def finish_run(self, run: CustomerImport) -> bool:
        done = super().finish_run(run)
        if done and run.created > self.chunk:
            # Fresh statistics for the planners of audiences; autovacuum comes a minute too late.
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE customers_customer, customers_contactpoint, customers_consent")
        return done


CUSTOMER_IMPORT = CustomerImporter()


def decide_consent(*, run_id: int, consent: ConsentPlan | None, list_id: int | None = None) -> CustomerImport:
    """Keep what the people in the file agreed to (None says plainly: to nothing) and the list they go on."""
    plan = ImportPlan(mapping=(), consent=consent).as_json()
    return change_draft(run_id=run_id, consent=plan["consent"], consent_decided=True, list_id=list_id)
