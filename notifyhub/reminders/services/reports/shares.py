"""Shares and the interval in which the true one lies."""

from dataclasses import dataclass
from math import sqrt

Z = 1.959964


@dataclass(frozen=True, kw_only=True)
class Share:
    """`done` of `all`, with the bounds of the 95% interval by Wilson."""

    done: int
    all: int

    @property
    def value(self) -> float | None:
        """Return the share, None of nothing."""
        return self.done / self.all if self.all else None

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the interval; of nothing it says nothing."""
        if not self.all:
            return 0.0, 1.0
        n, p = self.all, self.done / self.all
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much more of the first was done than of the second, with its 95% interval by Newcombe."""

    value: float
    low: float
    high: float

    @property
    def decided(self) -> bool:
        """Say whether the interval leaves no difference out."""
        return self.low > 0 or self.high < 0


def compare(first: Share, second: Share) -> Difference | None:
    """Return the difference of two shares; None while one of them is of nothing."""
    if first.value is None or second.value is None:
        return None
    a, b = first.value, second.value
    (a_low, a_high), (b_low, b_high) = first.bounds, second.bounds
    return Difference(
        value=a - b,
        low=a - b - sqrt((a - a_low) ** 2 + (b_high - b) ** 2),
        high=a - b + sqrt((a_high - a) ** 2 + (b - b_low) ** 2),
    )
