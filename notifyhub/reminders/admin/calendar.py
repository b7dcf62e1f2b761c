"""Days and counts as a month on the wall."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

DAYS = 30
WEEKDAYS = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))


def month_of(rows: Iterable[tuple[date, str, int]], *, days: int = DAYS) -> dict[str, Any]:
    """Return weeks of days from today on, each with its lines (label, count) and total."""
    today = timezone.localdate()
    lines: dict[date, dict[str, int]] = {}
    for day, label, count in rows:
        kept = lines.setdefault(max(day, today), {})
        kept[label] = kept.get(label, 0) + count
    last = today + timedelta(days=days - 1)
    totals = {day: sum(parts.values()) for day, parts in lines.items() if day <= last}
    most = max(totals.values(), default=0)
    start = today - timedelta(days=today.weekday())
    cells = []
    for n in range(((last - start).days // 7 + 1) * 7):
        day = start + timedelta(days=n)
        total = totals.get(day, 0)
        cells.append(
            {
                "day": day,
                "in": today <= day <= last,
                "today": day == today,
                "lines": sorted(lines.get(day, {}).items(), key=lambda line: -line[1]),
                "total": total,
                "share": 4 if total and total == most else total * 4 // most if most else 0,
            }
        )
    return {
        "weekdays": WEEKDAYS,
        "weeks": [cells[n : n + 7] for n in range(0, len(cells), 7)],
        "days": [cell for cell in cells if cell["in"] and cell["total"]],
        "total": sum(totals.values()),
        "until": last,
    }
