"""Joining SQL that counts its parameters with SQL that names them."""

from collections.abc import Sequence
from typing import Any


def named(sql: str, values: Sequence[Any], *, prefix: str) -> tuple[str, dict[str, Any]]:
    """Return `sql` with each %s turned into a name that begins with `prefix`, and the values by name."""
    parts = sql.split("%s")
    if len(parts) != len(values) + 1:
        raise ValueError("SQL and parameters do not fit.")
    names = [f"{prefix}_{place}" for place in range(len(values))]
    joined = parts[0] + "".join(f"%({name})s{part}" for name, part in zip(names, parts[1:], strict=True))
    return joined, dict(zip(names, values, strict=True))
