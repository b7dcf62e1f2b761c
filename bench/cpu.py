"""What statements cost: the processor time of the database's own process, by kind of statement.

The clock of a backend's process is read before and after each statement. That needs the database on this
machine and Linux; elsewhere only the wall clock is left, and the figures say so.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
from django.db import connection

KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("lease", lambda sql: "SKIP LOCKED" in sql and "messaging_batch" in sql and "lease_until" in sql),
    # Opening a window too, which writes no events unless it skips somebody.
    ("settle", lambda sql: "open_to = b.open_to" in sql),
    ("caps", lambda sql: "messaging_sendday" in sql and "INSERT" in sql),
    ("gates", lambda sql: "AS verdict" in sql),
    ("caps", lambda sql: "messaging_sendday" in sql),
    ("plan", lambda sql: "INSERT INTO messaging_delivery " in sql or "judged" in sql),
)


@lru_cache(maxsize=1024)
def kind_of(sql: str) -> str:
    """Return what a statement of the engine is for."""
    return next((kind for kind, fits in KINDS if fits(sql)), "other")


def clock_of(pid: int) -> Callable[[], float] | None:
    """Return a clock of another process's processor seconds; None if it is no PostgreSQL of this machine."""
    try:
        if "postgres" not in Path(f"/proc/{pid}/comm").read_text():
            return None
        # clock_getcpuclockid(3), which Python has for threads only.
        clock = (~pid << 3) | 2
        time.clock_gettime(clock)
    except OSError:
        return None
    return lambda: time.clock_gettime(clock)


@dataclass
class Cost:
    """Calls, processor seconds of the database and seconds of waiting for it."""

    calls: int = 0
    cpu: float = 0.0
    wall: float = 0.0


class Meter:
    """Within its block, adds up the cost of this thread's statements by kind.

    It looks at psycopg and not at Django, so that no way around Django's cursors stays unseen; what is no
    statement (a commit, a copy) is the kind "between". `alter` may change the parameters of a statement.
    """

    def __init__(self, alter: Callable[[str, Any], Any] | None = None) -> None:
        self.costs: dict[str, Cost] = {}
        self.alter = alter
        self._backend: Any = None
        self._clock: Callable[[], float] | None = None
        self._known: Any = None
        self._seen = self._mark = 0.0

    def __enter__(self) -> "Meter":
        connection.ensure_connection()
        self._follow()
        self._known = psycopg.Cursor.execute
        meter, known = self, self._known

        def execute(cursor: Any, query: Any, params: Any = None, **options: Any) -> Any:
            if cursor.connection is not connection.connection:
                return known(cursor, query, params, **options)
            return meter._execute(partial(known, cursor, query, **options), query, params)

        psycopg.Cursor.execute = execute  # type: ignore[method-assign]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        psycopg.Cursor.execute = self._known  # type: ignore[method-assign]
        self._leave()

    @property
    def exact(self) -> bool:
        """Say whether processor time could be read."""
        return self._clock is not None

    def cpu(self, *kinds: str) -> float:
        """Return the processor seconds of these kinds, of all without any; wall seconds if it must be."""
        chosen = [cost for kind, cost in self.costs.items() if not kinds or kind in kinds]
        return sum(cost.cpu if self.exact else cost.wall for cost in chosen)

    def wall(self, *kinds: str) -> float:
        """Return the seconds waited for statements of these kinds."""
        return sum(cost.wall for kind, cost in self.costs.items() if not kinds or kind in kinds)

    def _follow(self) -> None:
        if self._backend is not connection.connection:
            self._leave()
            self._backend = connection.connection
            self._clock = clock_of(self._backend.info.backend_pid) if self._backend else None
            self._mark, self._seen = self._clock() if self._clock else 0.0, 0.0

    def _leave(self) -> None:
        """Note what the backend did besides the statements."""
        if self._clock and not self._backend.closed:
            between = self.costs.setdefault("between", Cost())
            between.cpu += self._clock() - self._mark - self._seen

    def _execute(self, execute: Callable[[Any], Any], query: Any, params: Any) -> Any:
        self._follow()
        # Outside the clocks below, but not outside the worker's: a look at each statement once.
        text = query if isinstance(query, str) else _text(query)
        if self.alter:
            params = self.alter(text, params)
        cpu = self._clock() if self._clock else 0.0
        wall = time.perf_counter()
        try:
            return execute(params)
        finally:
            cost = self.costs.setdefault(kind_of(text), Cost())
            cost.calls += 1
            cost.wall += time.perf_counter() - wall
            spent = self._clock() - cpu if self._clock else 0.0
            cost.cpu += spent
            self._seen += spent


def _text(query: Any) -> str:
    return _decoded(query) if isinstance(query, bytes) else str(query.as_string(None))


@lru_cache(maxsize=1024)
def _decoded(query: bytes) -> str:
    return query.decode(errors="replace")
