"""The variables of one message as plain words, for vendors that fill in templates of their own."""

from collections.abc import Iterator, Mapping
from typing import Any

from notifyhub.messaging.rendering.variables import SECRET_LIST

DEPTH = 4


def flat_params(variables: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return (path, text) of every single value: ("customer.name", "小李"), ("order.amount", "35.5").

    Lists are left out, and so is what no template could name.
    """
    return tuple(_walk(variables, "", DEPTH))


def _walk(values: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if not prefix and name == SECRET_LIST:
            continue
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            if depth > 1:
                yield from _walk(value, f"{path}.", depth - 1)
        elif value is None:
            yield path, ""
        elif not isinstance(value, list | tuple | set):
            yield path, str(value)
