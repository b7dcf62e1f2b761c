"""What generated functions call while they fill a text in."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import markupsafe
from liquid.builtin.expressions.logical import _contains, _eq, _le, _lt, is_truthy
from liquid.builtin.tags.for_tag import ForLoop
from liquid.context import builtin
from liquid.limits import to_int
from liquid.stringify import to_liquid_string
from liquid.undefined import is_undefined

from notifyhub.messaging.rendering.limits import LOOPS, LOOPS_IN_ALL, NAMESPACE_BYTES, OUTPUT_BYTES

# The library counts the bytes before it makes "\r\n" one character, which at most halves them. Below this
# many characters, of four bytes at most, no text can reach the limit however it is counted.
SURELY_SHORT = OUTPUT_BYTES // 8


class Unsure(Exception):
    """Only the library can tell what comes of this."""


def plain_newlines(text: str) -> str:
    """Return `text` as the library's output stream keeps it: every line ends in a line feed."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def text_of(value: Any) -> str:
    """Return a value as it is printed in plain text."""
    return to_liquid_string(value, False)


def html_of(value: Any) -> str:
    """Return a value as it is printed in HTML."""
    return to_liquid_string(value, True)


def _join(pieces: list[str]) -> str:
    text = "".join(pieces)
    # A "\r" that ends one piece and a "\n" that starts the next are two lines to the library.
    return text if "\r" not in text else "".join([plain_newlines(piece) for piece in pieces])


def check(pieces: list[str]) -> None:
    """Make the pieces one, so that no list grows without end; raise Unsure if they are long."""
    if sum(map(len, pieces)) > OUTPUT_BYTES:
        raise Unsure
    pieces[:] = [_join(pieces)]


def finish(pieces: list[str]) -> str:
    """Return the whole output; raise if it is long or cannot be written as UTF-8."""
    if sum(map(len, pieces)) > OUTPUT_BYTES:
        raise Unsure
    text = _join(pieces)
    if not text.isascii():
        size = len(text.encode())
    else:
        size = len(text)
    if 2 * size > OUTPUT_BYTES:
        raise Unsure
    return text


def captured(pieces: list[str], around: list[str] | None) -> str:
    """Return what `capture` caught; raise if that and the output `around` it are long together."""
    size = sum(map(len, pieces)) + (sum(map(len, around)) if around else 0)
    if size > SURELY_SHORT:
        raise Unsure
    text = _join(pieces)
    text.encode()
    return text


def keep(names: dict[str, Any], name: str, value: Any) -> None:
    """Assign; raise beyond the limit on all that is assigned."""
    names[name] = value
    if sum([sys.getsizeof(one, 1) for one in names.values()]) > NAMESPACE_BYTES:
        raise Unsure


def count_rounds(rounds: int, length: int, product: int) -> int:
    """Return the rounds of all loops with this one; `product` is that of it and the loops around it."""
    rounds += length
    if product > LOOPS or rounds > LOOPS_IN_ALL:
        raise Unsure
    return rounds


def rounds_of(value: Any) -> tuple[Iterable[Any], int]:
    """Return what a loop without arguments goes through, and how many rounds that makes."""
    kind = type(value)
    if kind is list or kind is tuple or kind is range:
        return value, len(value)
    if isinstance(value, str):
        return ([value], 1) if value else ((), 0)
    if isinstance(value, Mapping):
        length = len(value)
        return islice(iter(value.items()), length), length
    if isinstance(value, Sequence):
        length = len(value)
        return islice(iter(value), length), length
    return (), 0


def slice_of(
    value: Any, limit: int | None, offset: int | None, backwards: bool, seen: dict[str, int], key: str
) -> tuple[Iterable[Any], int]:
    """Return the rounds of a loop with arguments; without `offset` it goes on where `seen` says."""
    items, length = rounds_of(value)
    start = seen.get(key, 0) if offset is None else offset
    stop = None if limit is None else limit + start
    first = min(max(start, 0), length)
    # As in the library, a stop of 0 is none at all, and one below 0 is an error.
    last = min(stop or length, length)
    seen[key] = last
    taken = islice(iter(items), first, last)
    return (reversed(list(taken)) if backwards else taken), max(last - first, 0)


def cycle(turns: dict[str, int], group: Any, named: bool, values: list[Any]) -> Any:
    """Return the value whose turn it is, or nothing if the group had more values elsewhere."""
    name = ("__UNDEFINED" if is_undefined(group) else str(group)) if named else ""
    key = name or str(values)
    index = turns.setdefault(key, 0)
    turns[key] = (index + 1) % len(values)
    return values[index] if index < len(values) else ""


NAMES: dict[str, Any] = {
    "absent": (KeyError, TypeError, IndexError),
    "builtin": builtin,
    "captured": captured,
    "check": check,
    "contains": _contains,
    "count_rounds": count_rounds,
    "cycle": cycle,
    "enumerate": enumerate,
    "eq": _eq,
    # The escaping alone, without the wrapper that marks its result as safe.
    "escape": getattr(markupsafe, "_escape_inner", markupsafe.escape),
    "finish": finish,
    "ForLoop": ForLoop,
    "html_of": html_of,
    "int": int,
    "iter": iter,
    "keep": keep,
    "le": _le,
    "len": len,
    "lt": _lt,
    "Markup": markupsafe.Markup,
    "rounds_of": rounds_of,
    "slice_of": slice_of,
    "str": str,
    "text_of": text_of,
    "to_int": to_int,
    "truthy": is_truthy,
    "type": type,
    "Unsure": Unsure,
}
