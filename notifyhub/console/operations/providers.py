"""The provider accounts: circuit, speed, errors, and the hour in minutes."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.console.operations.reading import MINUTES, Hour, rows
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.services.circuits import who_serves
from notifyhub.messaging.services.halts import HaltLine
from notifyhub.messaging.services.punctuality import percentile

_ACCOUNTS = """
SELECT a.id, a.name, a.channel, a.backend, a.active, a.rate_per_second, g.circuit, g.retry_at,
       EXISTS (SELECT 1 FROM messaging_provideraccount o
               WHERE o.channel = a.channel AND o.active AND o.backend <> 'sandbox')
FROM messaging_provideraccount a LEFT JOIN messaging_accountgate g ON g.account_id = a.id
ORDER BY (a.backend = 'sandbox'), a.active DESC, a.channel, a.priority
"""
CIRCUITS = {
    "closed": (gettext_lazy("closed"), "green", "check"),
    "open": (gettext_lazy("open"), "red", "link_off"),
    "half_open": (gettext_lazy("half-open"), "orange", "sync_problem"),
}
BAD = ("failed", "unknown", "retry")


def read_accounts(hour: Hour, halts: list[HaltLine]) -> list[dict[str, Any]]:
    """Return the accounts, real ones first; two queries. A sandbox that a real account replaces stands by."""
    stopped = {one.value: one for one in halts if one.scope == "account"}
    serving = who_serves(Channel.values)
    lines = []
    for pk, name, channel, backend, active, limit, circuit, retry_at, has_real in rows(_ACCOUNTS):
        cells = _cells(hour, pk)
        good = sum(cell["good"] for cell in cells)
        bad = sum(cell["bad"] for cell in cells)
        halt = stopped.get(str(pk))
        standby = backend == "sandbox" and has_real
        words: Any
        words, tone, icon = CIRCUITS.get(circuit or "closed", CIRCUITS["closed"])
        if halt is not None:
            words, tone, icon = _("stopped"), "orange", "pause"
        elif not active:
            words, tone, icon = _("off"), "grey", "pause"
        elif standby:
            words, tone, icon = _("stands by"), "grey", ""
        lines.append(
            {
                "id": pk,
                "name": name,
                "channel": Channel(channel).label,
                "backend": backend,
                "words": words,
                "tone": tone,
                "icon": icon,
                "shut": active and not halt and circuit in ("open", "half_open"),
                # Who took over is news about an account that does not send, whatever the reason.
                "serving": serving[channel].words
                if active and not standby and (halt or circuit in ("open", "half_open"))
                else "",
                "p95": percentile(hour.waits.get(pk, ()), 0.95),
                "retry_at": retry_at if active and not halt else None,
                "rate": hour.rate(hour.by_account.get((pk, "sent"))),
                "limit": limit,
                "errors": bad / (good + bad) if good + bad else None,
                "cells": cells,
                "hour": _("%(good)d handed over and %(bad)d failed in the last hour")
                % {"good": good, "bad": bad},
                "halt": halt,
                "active": active and not standby,
            }
        )
    return lines


def _cells(hour: Hour, account: int) -> list[dict[str, Any]]:
    """Return sixty cells, oldest first: handed over and failed in that minute, and the tone that follows."""
    empty = [0] * MINUTES
    good = hour.by_account.get((account, "sent"), empty)
    open_ = hour.by_account.get((account, "circuit"), empty)
    bad = [
        sum(found)
        for found in zip(*(hour.by_account.get((account, kind), empty) for kind in BAD), strict=True)
    ]
    cells = []
    for handed, failed, shut in zip(good, bad, open_, strict=True):
        share = failed / (handed + failed) if handed + failed else 0
        if share > 0.2 or (shut and not handed):
            tone = "red"
        elif share > 0.02 or shut:
            tone = "orange"
        else:
            tone = "green" if handed else "grey"
        cells.append({"good": handed, "bad": failed, "tone": tone})
    return cells
