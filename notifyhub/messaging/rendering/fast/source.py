"""Python source in the making: numbered names, a table of constants, pieces of output."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from notifyhub.messaging.channels.base import Page
from notifyhub.messaging.rendering.fast.pages import page_finisher
from notifyhub.messaging.rendering.fast.runtime import NAMES, plain_newlines

# So many pieces of output may come together before their size is looked at.
PIECES = 64


class Unsupported(Exception):
    """This text holds something that only the library fills in."""


@dataclass(frozen=True, slots=True)
class Value:
    """An expression in the source: the name that holds it and, if it never changes, what it is."""

    code: str
    constant: bool = False
    value: Any = None


@dataclass(slots=True)
class Loop:
    """A loop around the place that is being written."""

    name: str
    item: str
    index: str
    length: str
    helper: str
    # Whether something in the loop asks for its index.
    counted: bool = False


class Source:
    """The lines of one function. `buffer` is the list that takes the output, None where it is dropped."""

    def __init__(self, *, autoescape: bool) -> None:
        self.autoescape = autoescape
        self.loops: list[Loop] = []
        self.assigned: frozenset[str] = frozenset()
        self.whole_loops = False
        self.continued = False
        self.buffer: str | None = None
        self._lines: list[str] = []
        self._depth = 1
        self._table: dict[str, Any] = {**NAMES, "__builtins__": {}}
        self._words: dict[str, str] = {}
        self._output: set[str] = set()
        self._count = 0
        self._pending: list[tuple[bool, str]] = []
        self._written = 0

    def name(self, prefix: str) -> str:
        """Return a new name of the function."""
        self._count += 1
        return f"{prefix}{self._count}"

    def constant(self, value: Any) -> str:
        """Return the name of `value` in the table; equal plain words share one."""
        if type(value) is str:
            if value not in self._words:
                self._words[value] = self._new_constant(value)
            return self._words[value]
        return self._new_constant(value)

    def _new_constant(self, value: Any) -> str:
        name = self.name("K")
        self._table[name] = value
        return name

    def line(self, text: str) -> None:
        """Write one line."""
        self._lines.append("    " * self._depth + text)

    def place(self) -> int:
        """Return where the next line will stand."""
        self.flush()
        return len(self._lines)

    def rewrite(self, place: int, text: str) -> None:
        """Write another line at a place, as deep as lines are now."""
        self._lines[place] = "    " * self._depth + text

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Write `head` and what follows beneath it; output is on its list when the block ends."""
        self.flush()
        self.line(head)
        self._depth += 1
        start = len(self._lines)
        yield
        self.flush()
        if len(self._lines) == start:
            self.line("pass")
        self._depth -= 1

    @contextmanager
    def output_to(self, buffer: str | None) -> Iterator[None]:
        """Send output to another list for a while."""
        self.flush()
        before, self.buffer = self.buffer, buffer
        yield
        self.flush()
        self.buffer = before

    def text(self, text: str) -> None:
        """Write words of the template itself to the output."""
        text.encode()
        if self.buffer is None or not text:
            return
        # As a plain str: words marked as safe would escape what is added to them.
        text = plain_newlines(str(text))
        if self._pending and self._pending[-1][0]:
            self._pending[-1] = (True, self._pending[-1][1] + text)
        else:
            self._pending.append((True, text))

    def piece(self, code: str) -> None:
        """Write the value of `code`, a str, to the output."""
        if self.buffer is None:
            self.line(code)
            return
        self._pending.append((False, code))
        self._written += 1
        if self._written >= PIECES:
            self.flush()
            self.line(f"check({self.buffer})")
            self._written = 0

    def flush(self) -> None:
        """Write what is pending as one line."""
        pieces = [self._new_constant(code) if fixed else code for fixed, code in self._pending]
        self._output.update(code for fixed, code in self._pending if fixed)
        self._pending = []
        if len(pieces) == 1:
            self.line(f"{self.buffer}.append({pieces[0]})")
        elif pieces:
            self.line(f"{self.buffer}.extend(({', '.join(pieces)}))")

    def function(self) -> Callable[..., str]:
        """Return the finished function."""
        return self._make(self._table)

    def page_function(self) -> Callable[..., Page]:
        """Return the finished function that gives the text as the bytes of a mail."""
        return self._make({**self._table, "finish": page_finisher(self._output)})

    def _make(self, table: dict[str, Any]) -> Callable[..., Any]:
        source = "\n".join(["def fill(D):", *self._lines])
        # No word of the template is in the source; see the package's own words on why this is safe.
        exec(compile(source, "<liquid>", "exec"), table)
        made: Callable[..., Any] = table["fill"]
        return made
