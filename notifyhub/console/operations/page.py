"""The page as a whole: one function, fed by the same examination as `manage.py doctor --json`."""

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifyhub.console.operations.asking import who_can_be_asked
from notifyhub.console.operations.parts import read_parts
from notifyhub.console.operations.providers import read_accounts
from notifyhub.console.operations.queues import read_queues
from notifyhub.console.operations.reading import read_hour, rows
from notifyhub.console.operations.workers import read_workers
from notifyhub.core.registry import Finding, ticks
from notifyhub.customers.watching import VIEW as ALERTS
from notifyhub.customers.watching import open_alerts
from notifyhub.messaging.services.doubt import Doubt, messages_in_doubt
from notifyhub.messaging.services.halts import HaltLine, count_overdue, halts_in_force
from notifyhub.messaging.services.halts.restored import JOB
from notifyhub.messaging.services.punctuality import CAUSES, punctuality_lines
from notifyhub.staff.models import Job, NodeBeat, TickLease
from notifyhub.staff.services.health import examine
from notifyhub.staff.services.heartbeats import is_slow, waiting_seconds

# Told by cards or banners of their own.
ELSEWHERE = ("halts", "unknown")
_TROUBLES = """
SELECT (SELECT count(*) FROM messaging_halt WHERE lifted_at IS NULL)
     + (SELECT count(*) FROM messaging_accountgate g JOIN messaging_provideraccount a ON a.id = g.account_id
        WHERE a.active AND g.circuit = 'open')
"""


def troubles(request: Any) -> int:
    """Return how many things stand still or do not answer, for the sidebar."""
    return int(rows(_TROUBLES)[0][0])


def _sentence(findings: dict[str, Finding], *, stopped: bool, doubt: int) -> tuple[str, list[str]]:
    """Return the tone, and what to say: every error, then every warning, else that all is well, or all but
    what is stopped by order or in doubt."""
    told = [found for name, found in findings.items() if name not in ELSEWHERE]
    errors = [str(found.message) for found in told if found.level == "error"]
    warnings = [str(found.message) for found in told if found.level == "warning"]
    if errors or warnings:
        return ("red" if errors else "orange"), errors + warnings
    if stopped:
        return "green", [_("Apart from what was stopped, all is well: beat and canaries are on time.")]
    if doubt:
        words = ngettext(
            "Sending works: the queues are served, beat and canaries are on time. %(n)d message of the last "
            "7 days is in doubt.",
            "Sending works: the queues are served, beat and canaries are on time. %(n)d messages of the last "
            "7 days are in doubt.",
            doubt,
        )
        return "green", [words % {"n": doubt}]
    well = _("All is well: the queues are served, every provider answers, beat and canaries are on time.")
    return "green", [well]


def _ticks() -> list[list[dict[str, Any]]]:
    """Return the ticks in two halves that stand side by side, the most frequent first."""
    leases = {lease.name: lease for lease in TickLease.objects.all()}
    lines = [
        {"label": tick.label, "every": tick.every_seconds, "lease": leases.get(name)}
        for name, tick in sorted(ticks.items(), key=lambda pair: pair[1].every_seconds)
    ]
    middle = (len(lines) + 1) // 2
    return [lines[:middle], lines[middle:]]


def _cause_links() -> dict[str, str]:
    messages = reverse("admin:messaging_delivery_changelist")
    return {
        "retry": f"{messages}?kind=retry",
        "worker_died": f"{messages}?reason=worker_died",
        "paused": f"{reverse('admin:messaging_dispatch_changelist')}?state__exact=paused",
        "rate": reverse("admin:messaging_provideraccount_changelist"),
        "circuit": "#providers",
        "queue": "#workers",
    }


def _classes() -> list[dict[str, Any]]:
    links = _cause_links()
    return [
        {
            "line": line,
            "tone": "grey" if line.share is None else "green" if line.share >= 0.95 else "orange",
            "causes": [
                {"words": CAUSES[cause], "count": count, "url": links[cause]}
                for cause, count in line.causes.most_common()
                if cause in CAUSES
            ],
        }
        for line in punctuality_lines(hours=24)
    ]


def _restored(halts: list[HaltLine]) -> dict[str, Any] | None:
    """Return what a person has to decide after a restore, or None."""
    halt = next((one for one in halts if one.scope == "restored"), None)
    if halt is None:
        return None
    jobs = Job.objects.filter(kind=JOB, state__in=(Job.State.WAITING, Job.State.RUNNING))
    return {"halt": halt, "overdue": count_overdue(before=halt.since), "job": jobs.first()}


def _vitals(now: datetime, queues: list[dict[str, Any]], rate: float, doubt: Doubt) -> dict[str, Any]:
    beats = list(NodeBeat.objects.filter(kind__in=("beat", "canary")))
    beat = max((row for row in beats if row.kind == "beat"), key=lambda row: row.at, default=None)
    canary = min((row for row in beats if row.kind == "canary"), key=lambda row: row.at, default=None)
    trips = [waiting_seconds(row) for row in beats if row.kind == "canary"]
    return {
        "oldest": queues[0]["age"],
        "oldest_late": bool(queues[0]["age"] and queues[0]["age"] > timedelta(seconds=3)),
        "depth": queues[0]["waiting"] + queues[1]["waiting"],
        "bulk": queues[1]["waiting"],
        "rate": rate,
        "unknown": doubt.count,
        "unknown_since": now - doubt.oldest if doubt.oldest else None,
        "beat": beat,
        "beat_late": bool(beat and now - beat.at > timedelta(seconds=30)),
        "canary": canary,
        "canary_late": bool(canary and now - canary.at > timedelta(seconds=120)),
        "canary_slow": any(is_slow(row) for row in beats if row.kind == "canary"),
        "trip": max(trips) if trips else None,
    }


def operations() -> dict[str, Any]:
    """Return everything the page shows, at one moment; the number of queries does not depend on the data."""
    now = timezone.now()
    findings = examine()
    halts = halts_in_force()
    doubt = messages_in_doubt()
    tone, sentences = _sentence(findings, stopped=bool(halts), doubt=doubt.count)
    hour = read_hour(now)
    workers = read_workers(now, hour, halts)
    queues = read_queues(now, hour, workers)
    rate = sum(queue["out"] or 0.0 for queue in queues)
    silent = [one for one in workers if one["silent"]]
    return {
        "now": now,
        "tone": tone,
        "sentences": sentences,
        "halts": [one for one in halts if one.scope != "restored"],
        "restored": _restored(halts),
        "vitals": _vitals(now, queues, rate, doubt),
        "queues": queues,
        "workers": workers,
        "machines": len({one["host"] for one in workers if not one["silent"]}),
        "processes": sum(one["processes"] for one in workers if not one["silent"]),
        "silent": silent,
        "accounts": read_accounts(hour, halts),
        "ticks": _ticks(),
        "doubt": doubt,
        "classes": _classes(),
        "asking": who_can_be_asked(doubt),
        "parts": read_parts(halts),
        "review": f"{reverse('admin:messaging_delivery_changelist')}?kind=unknown&state=10",
    }


def alerts_for(request: Any) -> dict[str, Any]:
    """Return the open alerts of watch rules for who may see them; nothing is asked for anybody else."""
    return {"alerts": open_alerts() if request.user.has_perm(ALERTS) else None}
