"""What the operations page shows, from the same facts as `manage.py doctor`."""

from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.registry import ticks
from notifyhub.staff.models import NodeBeat, TickLease
from notifyhub.staff.services.health import examine

# Waiting rows are summed from the batches, of which there is one per 500 messages: never a ledger scan.
_QUEUES = """
SELECT b.priority, coalesce(sum(CASE WHEN b.ids IS NULL THEN b.hi - b.cursor ELSE cardinality(b.ids) END), 0),
       min(b.not_before), count(*) FILTER (WHERE b.state = 1)
FROM messaging_batch b JOIN messaging_dispatch d ON d.id = b.dispatch_id
WHERE b.state IN (0, 1) AND b.not_before <= now() AND d.state IN ('running', 'cancelling')
GROUP BY b.priority
"""
# The last hour's events by minute, through the index on (kind, at).
_RATES = """
SELECT account_id, date_bin('1 minute', at, timestamptz '2000-01-01'), kind, count(*)
FROM messaging_deliveryevent
WHERE kind IN ('sent', 'delivered', 'failed', 'bounced', 'unknown', 'retry')
  AND at > now() - interval '60 minutes'
GROUP BY 1, 2, 3
"""
_ACCOUNTS = """
SELECT a.id, a.name, a.channel, a.backend, a.active, a.rate_per_second, g.circuit, g.retry_at
FROM messaging_provideraccount a LEFT JOIN messaging_accountgate g ON g.account_id = a.id
ORDER BY a.active DESC, a.channel, a.priority
"""
_UNKNOWN = """
SELECT count(*), min(at) FROM messaging_deliveryevent
WHERE kind = 'unknown' AND at > now() - interval '24 hours'
"""

QUEUE_NAMES = {0: gettext_lazy("realtime"), 1: gettext_lazy("bulk")}
WORKER_QUEUES = {
    "realtime": QUEUE_NAMES[0],
    "bulk": QUEUE_NAMES[1],
    "housekeeping": gettext_lazy("housekeeping"),
}
QUEUE_WORDS = {0: gettext_lazy("codes, orders, replies"), 1: gettext_lazy("campaigns, reminders")}
CIRCUITS = {
    "closed": (gettext_lazy("closed"), "green"),
    "open": (gettext_lazy("open"), "red"),
    "half_open": (gettext_lazy("half-open"), "orange"),
}
GOOD, BAD = ("sent", "delivered"), ("failed", "bounced", "unknown", "retry")


def _rows(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def _queues(now: Any) -> list[dict[str, Any]]:
    found = {row[0]: row for row in _rows(_QUEUES)}
    queues = []
    for code, name in QUEUE_NAMES.items():
        _code, waiting, oldest, leased = found.get(code, (code, 0, None, 0))
        queues.append(
            {
                "name": name,
                "words": QUEUE_WORDS[code],
                "waiting": int(waiting),
                "oldest": (now - oldest) if oldest and waiting else None,
                "leased": leased,
            }
        )
    return queues


def _minutes(rates: list[Any], now: Any, account: int) -> list[dict[str, Any]]:
    """Return sixty cells, oldest first: handed over and failed in that minute, and the tone that follows."""
    start = now.replace(second=0, microsecond=0)
    cells = [{"good": 0, "bad": 0} for _minute in range(60)]
    for row_account, minute, kind, count in rates:
        place = 59 - int((start - minute).total_seconds() // 60)
        if row_account == account and 0 <= place < 60:
            if kind == "sent":
                cells[place]["good"] += count
            elif kind in BAD:
                cells[place]["bad"] += count
    for cell in cells:
        total = cell["good"] + cell["bad"]
        share = cell["bad"] / total if total else 0
        tone = "grey" if not total else "red" if share > 0.2 else "orange" if share > 0.02 else "green"
        cell["tone"] = tone  # type: ignore[assignment]
    return cells


def _accounts(rates: list[Any], now: Any) -> list[dict[str, Any]]:
    accounts = []
    for pk, name, channel, backend, active, limit, circuit, retry_at in _rows(_ACCOUNTS):
        cells = _minutes(rates, now, pk)
        good = sum(cell["good"] for cell in cells)
        bad = sum(cell["bad"] for cell in cells)
        words, tone = CIRCUITS.get(circuit or "closed", CIRCUITS["closed"])
        accounts.append(
            {
                "id": pk,
                "name": name,
                "channel": channel,
                "backend": backend,
                "circuit": words if active else _("off"),
                "tone": tone if active else "grey",
                "retry_at": retry_at,
                "rate": cells[-2]["good"] / 60 if len(cells) > 1 else 0,
                "limit": limit,
                "errors": bad / (good + bad) if good + bad else None,
                "cells": cells,
            }
        )
    return accounts


def _ticks() -> list[dict[str, Any]]:
    leases = {lease.name: lease for lease in TickLease.objects.all()}
    return [
        {"label": tick.label, "every": tick.every_seconds, "lease": leases.get(name)}
        for name, tick in ticks.items()
    ]


def _queue_names(queues: str) -> str:
    """Return the queues of a worker in the reader's words."""
    codes = [code.strip() for code in queues.split(",")]
    return ", ".join(str(WORKER_QUEUES.get(code, code)) for code in codes)


def _workers(now: Any) -> list[dict[str, Any]]:
    rows = NodeBeat.objects.filter(kind="worker").order_by("name")
    return [
        {
            "name": row.name,
            "queues": _queue_names(row.queues),
            "at": row.at,
            "silent": (now - row.at).total_seconds() > 45,
        }
        for row in rows
    ]


def _sentence(findings: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the tone, and what to say: every error, then every warning, else that all is well."""
    errors = [str(finding.message) for finding in findings.values() if finding.level == "error"]
    warnings = [str(finding.message) for finding in findings.values() if finding.level == "warning"]
    if errors or warnings:
        return ("red" if errors else "orange"), errors + warnings
    well = _("All is well: the queues are served, every provider answers, beat and canaries are on time.")
    return "green", [well]


def operations() -> dict[str, Any]:
    """Return everything the page shows, at one moment; the number of queries does not depend on the data."""
    now = timezone.now()
    findings = examine()
    tone, sentences = _sentence(findings)
    rates = _rows(_RATES)
    queues = _queues(now)
    unknown, oldest_unknown = _rows(_UNKNOWN)[0]
    minute = now.replace(second=0, microsecond=0)
    last = sum(row[3] for row in rates if row[2] == "sent" and 0 <= (minute - row[1]).total_seconds() <= 60)
    beat = NodeBeat.objects.filter(kind="beat").order_by("-at").first()
    canary = NodeBeat.objects.filter(kind="canary").order_by("at").first()
    return {
        "now": now,
        "tone": tone,
        "sentences": sentences,
        "queues": queues,
        "depth": sum(queue["waiting"] for queue in queues),
        "rate": last / max(60 + now.second, 1),
        "unknown": unknown,
        "oldest_unknown": now - oldest_unknown if oldest_unknown else None,
        "beat": beat,
        "canary": canary,
        "workers": _workers(now),
        "accounts": _accounts(rates, now),
        "ticks": _ticks(),
    }
