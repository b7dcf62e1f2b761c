"""The last minute of an account, counted by ten seconds in its gate row: SQL over alias `g`.

`slot` numbers the ten seconds that the first place of `answers` and `troubles` stands for. Rolling puts a
zero in front for each ten seconds that passed since.
"""

SLOT = "greatest(g.slot, floor(extract(epoch FROM statement_timestamp()) / 10)::bigint)"


def rolled(name: str) -> str:
    """Return the SQL of `answers` or `troubles` as they stand now."""
    return f"((array_fill(0, ARRAY[least({SLOT} - g.slot, 6)::int]) || g.{name})[1:6])"


def added(column: str, number: str) -> str:
    """Return the SQL of an array that was rolled, with `number` added to the ten seconds under way."""
    return f"(ARRAY[{column}[1] + {number}] || {column}[2:6])"


def total(column: str) -> str:
    """Return the SQL of the sum over a minute."""
    return f"(SELECT sum(n) FROM unnest({column}) AS n)"
