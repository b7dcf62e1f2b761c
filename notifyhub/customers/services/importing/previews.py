"""How a file is understood, before anything is written."""

from dataclasses import dataclass, field

from notifyhub.customers.services.importing.records import Record
from notifyhub.customers.services.upsert import RowProblem

SAMPLE = 20
SMALL_FILE_BYTES = 4 << 20


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
    """What an import would do, counted without writing; `complete` if the whole file was read.

    The customers are counted for a file of customers only.
    """

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

    def refuse(self, problem: RowProblem) -> None:
        """Count a row that cannot be taken; the first ones are kept to be shown."""
        self.bad += 1
        if len(self.problems) < SAMPLE:
            self.problems.append(problem)
