"""What statements cost: the processor time of the database's own process, by kind of statement.

The clock of a backend's process is read before and after each statement. That needs the database on this
machine and Linux; elsewhere only the wall clock is left, and the figures say so.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from django.db import connection

KINDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("lease", lambda sql: "SKIP LOCKED" in sql and "messaging_batch" in sql and "lease_until" in sql),
    ("settle", lambda sql: "messaging_deliveryevent" in sql and "UPDATE messaging_delivery" in sql),
    ("caps", lambda sql: "messaging_sendcount" in sql and "INSERT" in sql),
    ("gates", lambda sql: "AS verdict" in sql),
    ("caps", lambda sql: "messaging_sendcount" in sql),
    ("plan", lambda sql: "INSERT INTO messaging_delivery " in sql or "judged" in sql),
)


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

    `alter` may change the parameters of a statement before it runs.
    """

    def __init__(self, alter: Callable[[str, Any], Any] | None = None) -> None:
        self.costs: dict[str, Cost] = {}
        self.alter = alter
        self._context: Any = None
        self._backend: Any = None
        self._clock: Callable[[], float] | None = None

    def __enter__(self) -> "Meter":
        connection.ensure_connection()
        self._follow()
        self._context = connection.execute_wrapper(self._execute)
        self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.__exit__(kind, error, trace)

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
            self._backend = connection.connection
            self._clock = clock_of(self._backend.info.backend_pid) if self._backend else None

    def _execute(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self._follow()
        if self.alter:
            params = self.alter(sql, params)
        cpu = self._clock() if self._clock else 0.0
        wall = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            cost = self.costs.setdefault(kind_of(sql) if isinstance(sql, str) else "other", Cost())
            cost.calls += 1
            cost.wall += time.perf_counter() - wall
            cost.cpu += self._clock() - cpu if self._clock else 0.0
