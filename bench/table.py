"""A figure, and the table of all figures."""

import json
import statistics
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(kw_only=True)
class Figure:
    """One measured number. `target` and `aim` bound the ratio where there is a baseline, else the value;
    `more` says whether more is better."""

    name: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    against: str = ""
    ratio: float | None = None
    target: float | None = None
    aim: float | None = None
    more: bool = True
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Say whether the target is met; None without one, or without a number."""
        found = self.ratio if self.against else self.value
        if self.target is None:
            return None
        if found is None:
            return False
        return found >= self.target if self.more else found <= self.target


def measured(
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    baselines: Sequence[float] = (),
    against: str = "",
    target: float | None = None,
    aim: float | None = None,
    more: bool = True,
    note: str = "",
) -> Figure:
    """Return the figure of several rounds: medians, and the median of the ratios round by round."""
    pairs = [value / base for value, base in zip(values, baselines, strict=False) if base]
    return Figure(
        name=name,
        value=statistics.median(values) if values else None,
        unit=unit,
        low=min(values, default=None),
        high=max(values, default=None),
        baseline=statistics.median(baselines) if baselines else None,
        against=against,
        ratio=statistics.median(pairs) if pairs else None,
        target=target,
        aim=aim,
        more=more,
        note=note,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def as_json(figures: Sequence[Figure]) -> str:
    """Return one JSON object a line."""
    return "\n".join(
        json.dumps({**asdict(one), "met": one.met}, ensure_ascii=False, default=float) for one in figures
    )


def number(value: float | None) -> str:
    """Return a number with as many digits as it deserves."""
    if value is None:
        return "—"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 10 or value == int(value) else f"{value:.2f}"


def as_table(figures: Sequence[Figure]) -> str:
    """Return a Markdown table."""
    rows = [["what", "value", "rounds", "baseline", "ratio", "asked (aim)", ""]]
    for one in figures:
        span = "" if one.low in (None, one.high) else f"{number(one.low)}–{number(one.high)}"
        bound = "≥" if one.more else "≤"
        asked = "" if one.target is None else f"{bound} {number(one.target)}"
        if one.aim is not None:
            asked += f" ({number(one.aim)})"
        base = f"{number(one.baseline)} {one.against}" if one.against else ""
        verdict = {True: "met", False: "MISSED", None: ""}[one.met]
        name = f"{one.name} ({one.note})" if one.note else one.name
        ratio = number(one.ratio) if one.against else ""
        rows.append([name, f"{number(one.value)} {one.unit}", span, base, ratio, asked, verdict])
    widths = [max(_width(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(_pad(cell, wide) for cell, wide in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (wide + 2) for wide in widths) + "|")
    return "\n".join(lines)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def _pad(text: str, wide: int) -> str:
    return text + " " * (wide - _width(text))
