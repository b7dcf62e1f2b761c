"""The records of a file, read in chunks of rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.upsert import RowProblem

Row = TypeVar("Row")


@dataclass
class Chunk(Generic[Row]):
    """Rows with their lines, and what is wrong with the records that are none."""

    rows: list[Row] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Return how many records were read."""
        return len(self.rows) + len(self.problems)


def read_chunks(
    records: Iterator[Record], read: Callable[[Record], Row | RowProblem], *, size: int
) -> Iterator[Chunk[Row]]:
    """Yield the records in chunks of `size`, each read by `read`."""
    while batch := list(islice(records, size)):
        chunk = Chunk[Row]()
        for record in batch:
            row = read(record)
            if isinstance(row, RowProblem):
                chunk.problems.append(row)
            else:
                chunk.rows.append(row)
                chunk.lines.append(record.line)
        yield chunk
