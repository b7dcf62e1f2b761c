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
    nodes = list(NodeBeat.objects.filter(kind="worker").order_by("name"))
    served = {code for row in nodes if not _is_silent(row, now) for code in _codes(row)}
    lines = []
    for row in nodes:
        silent = _is_silent(row, now)
        leases, until = held.get(row.name, (0, None))
        codes = _codes(row)
        alone = [str(NAMES.get(code, code)) for code in codes if code not in served]
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
                "note": _note(
                    silent=silent, leases=leases, until=until, drained=halt is not None, alone=alone
                ),
            }
        )
    return lines


def _codes(row: NodeBeat) -> list[str]:
    return [code.strip() for code in row.queues.split(",")]


def _is_silent(row: NodeBeat, now: datetime) -> bool:
    return (now - row.at).total_seconds() > SILENT_AFTER


def _note(*, silent: bool, leases: int, until: datetime | None, drained: bool, alone: list[str]) -> str:
    if silent and leases:
        return ngettext(
            "silent; its lease goes back at %(at)s",
            "silent; its %(n)d leases go back by %(at)s",
            leases,
        ) % {"n": leases, "at": when(until)}
    if silent and alone:
        return _("silent; nobody serves %(queues)s now: start it again") % {"queues": ", ".join(alone)}
    if silent:
        return _("silent; its leases went back, others go on")
    if drained and leases:
        return _("draining: ends what it holds")
    if drained:
        return _("drained: safe to stop")
    return ""
