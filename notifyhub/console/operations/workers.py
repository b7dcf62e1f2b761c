"""The worker nodes: who lives, what they hold, and what became of the leases of one that fell silent."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifyhub.console.operations.queues import NAMES
from notifyhub.console.operations.reading import Hour, rows
from notifyhub.core.templatetags.nh import when
from notifyhub.messaging.services.halts import HaltLine
from notifyhub.staff.models import NodeBeat

SILENT_AFTER = 45
_HELD = """
SELECT split_part(owner, ':', 1), count(*), max(lease_until) FROM messaging_batch WHERE state = 1 GROUP BY 1
"""


def read_workers(now: datetime, hour: Hour, halts: list[HaltLine]) -> list[dict[str, Any]]:
    """Return the nodes by name; two queries."""
    held = {row[0]: (row[1], row[2]) for row in rows(_HELD)}
    drained = {one.value: one for one in halts if one.scope == "worker"}
    lines = []
    for row in NodeBeat.objects.filter(kind="worker").order_by("name"):
        silent = (now - row.at).total_seconds() > SILENT_AFTER
        leases, until = held.get(row.name, (0, None))
        codes = [code.strip() for code in row.queues.split(",")]
        halt = drained.get(row.name)
        lines.append(
            {
                "name": row.name,
                "host": row.name.rpartition("@")[2],
                "codes": codes,
                "queues": ", ".join(str(NAMES.get(code, code)) for code in codes),
                "processes": int(row.detail.get("processes", 1)),
                "memory": None if silent else row.detail.get("memory_mib") or None,
                "minute": round(hour.rate(hour.by_node.get(row.name)) * 60),
                "age": now - row.at,
                "silent": silent,
                "halt": halt,
                "sends": "realtime" in codes or "bulk" in codes,
                "note": _note(silent=silent, leases=leases, until=until, drained=halt is not None),
            }
        )
    return lines


def _note(*, silent: bool, leases: int, until: datetime | None, drained: bool) -> str:
    if silent and leases:
        return ngettext(
            "silent; its lease goes back at %(at)s",
            "silent; its %(n)d leases go back by %(at)s",
            leases,
        ) % {"n": leases, "at": when(until)}
    if silent:
        return _("silent; its leases went back, others go on")
    if drained and leases:
        return _("draining: ends what it holds")
    if drained:
        return _("drained: safe to stop")
    return ""
