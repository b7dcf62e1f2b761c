"""How a file is understood, before anything is written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from notifyhub.customers.services.importing.columns import guess_mapping
from notifyhub.customers.services.importing.plans import ImportPlan
from notifyhub.customers.services.importing.reading import read_row
from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.importing.tables import open_table
from notifyhub.customers.services.upsert import CustomerRow, RowProblem, match_customers

SAMPLE = 20
SMALL_FILE_BYTES = 4 << 20
_CHUNK = 5000


@dataclass
class Sample:
    """The first rows of a file as they will be read."""

    kind: str
    encoding: str
    delimiter: str
    header: list[str]
    mapping: list[str]
    records: list[Record] = field(default_factory=list)


@dataclass
class Check:
    """What an import would do, counted without writing; `complete` if the whole file was read."""

    good: int = 0
    bad: int = 0
    created: int = 0
    known: int = 0
    repeated: int = 0
    complete: bool = True
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Return how many rows were read."""
        return self.good + self.bad


def sample_file(
    path: Path,
    *,
    encoding: str = "",
    delimiter: str = "",
    guess: Callable[[Sequence[str]], list[str]] = guess_mapping,
) -> Sample:
    """Return the first 20 rows with the guessed mapping; raise Refused if the file is no table."""
    table = open_table(path, encoding=encoding, delimiter=delimiter)
    return Sample(
        kind=table.kind,
        encoding=table.encoding,
        delimiter=table.delimiter,
        header=table.header,
        mapping=guess(table.header),
        records=list(islice(table.records(), SAMPLE)),
    )


def check_file(path: Path, plan: ImportPlan, *, limit: int | None = None, keep: int = 100) -> Check:
    """Return the counts of a dry run over the file (or its first `limit` rows), with `keep` problems."""
    table = open_table(path, encoding=plan.encoding, delimiter=plan.delimiter)
    check = Check()
    records: Iterator[Record] = table.records()
    while chunk := list(islice(records, _CHUNK)):
        rows: list[CustomerRow] = []
        for record in chunk:
            row = read_row(record, plan.mapping)
            if isinstance(row, RowProblem):
                _refuse(check, row, keep)
            else:
                rows.append(row)
        outcome = match_customers(rows=rows)
        for problem in outcome.problems:
            _refuse(check, problem, keep)
        check.good += len(rows) - len(outcome.problems)
        check.created += outcome.created
        check.known += outcome.updated
        check.repeated += len(outcome.repeats)
        if limit is not None and check.rows >= limit:
            check.complete = next(records, None) is None
            break
    return check


def _refuse(check: Check, problem: RowProblem, keep: int) -> None:
    check.bad += 1
    if len(check.problems) < keep:
        check.problems.append(problem)
