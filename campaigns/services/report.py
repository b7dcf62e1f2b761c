"""What came of a run: sums that close, channels, minutes, recipients."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Run, RunMinute
from campaigns.services.preflight import reason_label
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.messaging.models import Delivery
from notifyhub.messaging.services.dispatches import Progress

State = Delivery.State
PAGE = 50
# How a state is called in an address; the ledger's number is not for reading.
STATES = {state.name.lower(): state for state in State}
# The lines of the certificate hold more than one state: a delivered message was handed over too.
COUNTED_AS = {"sent": (State.SENT, State.DELIVERED), "failed": (State.FAILED, State.BOUNCED)}
TONES = {
    State.PLANNED: "blue",
    State.UNKNOWN: "orange",
    State.SENT: "violet",
    State.FAILED: "red",
    State.DELIVERED: "green",
    State.BOUNCED: "red",
    State.SKIPPED: "grey",
    State.EXPIRED: "grey",
    State.CANCELLED: "grey",
    State.GATHERED: "blue",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a breakdown; `code` is what the recipients list filters by."""

    code: str
    label: str
    count: int
    tone: str = ""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """Planned, and the parts that must add up to it."""

    planned: int
    lines: list[Line]

    @property
    def total(self) -> int:
        """Return the sum of the parts."""
        return sum(line.count for line in self.lines)

    @property
    def closes(self) -> bool:
        """Say whether nobody is missing and nobody counted twice."""
        return self.total == self.planned


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """One message of a run as the list shows it."""

    delivery: Delivery
    customer: Customer | None
    contact: str
    state: str
    tone: str
    reason: str


def certify(progress: Progress) -> Certificate:
    """Return the certificate of a run: planned = sent + failed + unknown + skipped + ... + not yet due."""
    lines = [
        Line(code="sent", label=_("Handed over"), count=progress.sent, tone="violet"),
        Line(code="failed", label=_("Failed"), count=progress.failed, tone="red"),
        Line(code="unknown", label=_("Unknown"), count=progress.unknown, tone="orange"),
        Line(code="skipped", label=_("Skipped"), count=progress.skipped, tone="grey"),
        Line(code="expired", label=_("Expired"), count=progress.expired, tone="grey"),
        Line(code="cancelled", label=_("Cancelled"), count=progress.cancelled, tone="grey"),
        Line(code="gathered", label=_("Gathered into digests"), count=progress.gathered, tone="blue"),
        Line(code="planned", label=_("Not yet due"), count=progress.open, tone="blue"),
    ]
    always = {"sent", "failed", "unknown", "skipped", "planned"}
    return Certificate(
        planned=progress.planned,
        lines=[line for line in lines if line.count or line.code in always],
    )


def certify_people(progress: Progress) -> Certificate:
    """Return the certificate of people, whatever messages each got: reached + not reached + not yet."""
    return Certificate(
        planned=progress.people,
        lines=[
            Line(code="", label=_("Reached: at least one message handed over"), count=progress.reached),
            Line(code="", label=_("Not reached, or unknown"), count=progress.not_reached),
            Line(code="", label=_("Not yet"), count=progress.people_open),
        ],
    )


def reasons_of(by_reason: dict[str, int], *, total: int | None = None) -> list[Line]:
    """Return why messages were not sent or failed, the commonest first, adding up to `total` if given.

    What a provider reports after taking a message has a state but no reason of ours: it gets its own line.
    """
    ranked = sorted(by_reason.items(), key=lambda pair: -pair[1])
    lines = [Line(code=code, label=reason_label(code), count=count) for code, count in ranked if count]
    later = (total or 0) - sum(line.count for line in lines)
    if later > 0:
        lines.append(Line(code="", label=_("Bounced, or reported later"), count=later))
    return lines


def minutes_of(run: Run, *, last: int = 60) -> dict[str, Any]:
    """Return the chart of messages a minute: labels in the viewer's zone, handed over and failed."""
    rows = list(RunMinute.objects.filter(run=run).order_by("-minute")[: last + 1])[::-1]
    labels, sent, failed = [], [], []
    before: RunMinute | None = None
    first = RunMinute.objects.filter(run=run).order_by("minute").first() if rows else None
    for row in rows:
        if before is None and first is not None and row.pk != first.pk:
            before = row  # The window begins in mid-run: this row is only what the next one is compared with.
            continue
        labels.append(f"{timezone.localtime(row.minute):%H:%M}")
        sent.append(row.sent - (before.sent if before else 0))
        failed.append(row.failed - (before.failed if before else 0))
        before = row
    return {
        "title": _("Messages a minute"),
        "type": "bar",
        "labels": labels,
        "x_label": _("Time"),
        "y_label": _("Messages"),
        "stacked": True,
        "datasets": [
            {"label": _("Handed over"), "data": sent, "tone": "violet"},
            {"label": _("Failed"), "data": failed, "tone": "red"},
        ],
    }


def ended_at(run: Run) -> datetime | None:
    """Return when the run ended; None while it goes on."""
    return run.finished_at or run.dispatch.finished_at


def took(run: Run) -> timedelta | None:
    """Return how long the run has sent or did send; None before it began."""
    start = run.dispatch.started_at
    return (ended_at(run) or timezone.now()) - start if start else None


def list_recipients(
    run: Run, *, state: str = "", reason: str = "", after: int = 0
) -> tuple[list[Recipient], int | None]:
    """Return one page of messages after the id `after`, and the id to go on from or None.

    Read by the ledger's primary key; the state narrows it on the way.
    """
    rows = Delivery.objects.filter(dispatch_id=run.dispatch_id, id__gt=after)
    if state in STATES:
        rows = rows.filter(state__in=COUNTED_AS.get(state, (STATES[state],)))
    if reason:
        rows = rows.filter(reason=reason)
    found = list(rows.order_by("id")[: PAGE + 1])
    page = found[:PAGE]
    return _dress(page), page[-1].id if len(found) > PAGE else None


def _dress(page: Sequence[Delivery]) -> list[Recipient]:
    customers = Customer.objects.only("name", "city", "external_id").in_bulk(
        [row.customer_id for row in page]
    )
    masked = dict(
        ContactPoint.objects.filter(pk__in=[row.contact_id for row in page if row.contact_id]).values_list(
            "pk", "masked"
        )
    )
    return [
        Recipient(
            delivery=row,
            customer=customers.get(row.customer_id),
            contact=masked.get(row.contact_id or 0, "—"),
            state=str(State(row.state).label),
            tone=TONES[State(row.state)],
            reason=reason_label(row.reason) if row.reason else "",
        )
        for row in page
    ]
