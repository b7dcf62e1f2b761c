"""The import of events: taken like those of the API, or put aside until their customer is known."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.events.importing.columns import EVENT_COLUMNS
from notifyhub.customers.services.events.importing.reading import read_event
from notifyhub.customers.services.events.names import current_names
from notifyhub.customers.services.events.parking import put_aside, unknown_asides
from notifyhub.customers.services.events.recording import take_events, why_not
from notifyhub.customers.services.events.shapes import EventIn
from notifyhub.customers.services.importing.chunks import Chunk
from notifyhub.customers.services.importing.importer import Importer
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.problems import mask_cell
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.upsert import RowProblem

Reader = Callable[[Record], EventIn | RowProblem]


class EventImporter(Importer[EventIn]):
    """Takes events in, each message id once."""

    kind = CustomerImport.Kind.EVENTS
    verb = "import_events"
    finished = "finish_event_import"
    vocabulary = EVENT_COLUMNS
    chunk = 2000
    audited = ("created", "duplicates", "parked", "bad")
    counts = (*audited, "people")

    def reader(self, plan: ImportPlan) -> Reader:
        return partial(read_event, mapping=plan.mapping, names=current_names())

    def show_cells(self, record: Record, mapping: Sequence[str]) -> Sequence[str] | RowProblem:
        if record.problem is not None:
            return record.problem
        return [
            mask_cell(cell) if field in ("phone", "email") or "@" in cell else cell
            for field, cell in zip(mapping, record.cells, strict=False)
        ]

    def checker(self, plan: ImportPlan) -> Reader:
        read = self.reader(plan)

        def check(record: Record) -> EventIn | RowProblem:
            event = read(record)
            wrong = why_not(event) if isinstance(event, EventIn) else None
            return _said(record.line, wrong.field, wrong.message) if wrong else event

        return check

    def take_chunk(
        self, run: CustomerImport, plan: ImportPlan, chunk: Chunk[EventIn]
    ) -> tuple[Sequence[RowProblem], Mapping[str, int]]:
        result = take_events(chunk.rows)
        asides = unknown_asides(chunk.rows, result)
        put_aside(asides)
        said = [_said(chunk.lines[p.index], p.field, p.message) for p in result.problems]
        refused = [*chunk.problems, *said]
        return refused, {
            "created": result.accepted,
            "duplicates": result.repeated,
            "parked": len(asides),
            "people": result.customers_created,
            "bad": len(refused),
        }


EVENT_IMPORT = EventImporter()


def _said(line: int, name: str, message: str) -> RowProblem:
    return RowProblem(line=line, code="said", column=name, params={"text": message})
