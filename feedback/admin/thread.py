"""The thread of a case: what was said, with the system's own lines folded between."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from feedback.models import Case, CaseEvent, CaseState, Interaction
from feedback.services.replies import show_ledger_state

LINES = 200
# These events stand in the thread as what was said.
SPOKEN = tuple(Interaction.Kind.values)
WORDS = {
    "log": _("logged the case"),
    "receive": _("The case came in"),
    "claim": _("claimed the case"),
    "assign": _("assigned the case"),
    "first_reply": _("took the case by answering"),
    "wait_customer": _("set it waiting for the customer"),
    "wait_dept": _("set it waiting for a department"),
    "wait_third": _("set it waiting for a third party"),
    "customer_replied": _("The customer was heard; the case is open again"),
    "resume": _("took the case up again"),
    "resolve": _("resolved the case"),
    "reopen": _("opened the case again"),
    "close": _("Closed after seven quiet days"),
    "void": _("set the case aside"),
    "restore": _("took the case back"),
    "merge": _("merged the case"),
    "update": _("corrected the facts"),
    "reply": _("wrote to the customer"),
    "note": _("left an internal note"),
    "call": _("wrote down a call"),
    "name_customer": _("found out who the customer is"),
    "reply_failed": _("A reply failed"),
    "retry": _("sent a failed reply again"),
    "customer_merged": _("The customer was merged with another row"),
    "customer_unmerged": _("The customer's merge was undone"),
}


@dataclass
class Entry:
    """One block of the thread: a day, a bubble, or folded system lines."""

    kind: str  # day, line, events
    day: date | None = None
    line: Interaction | None = None
    events: list[dict[str, Any]] = field(default_factory=list)


def build_thread(case: Case) -> list[Entry]:
    """Return the thread, oldest first; three queries."""
    lines = list(
        Interaction.objects.filter(case=case).select_related("author").order_by("-at", "-id")[:LINES]
    )
    show_ledger_state(lines)
    events = CaseEvent.objects.filter(case=case).exclude(kind__in=SPOKEN).order_by("-id")[:LINES]
    mixed: list[tuple[datetime, int, Any]] = [(line.at, 0, line) for line in lines]
    mixed += [(event.at, 1, event) for event in events]
    mixed.sort(key=lambda entry: (entry[0], entry[1], entry[2].pk))
    return _fold(mixed)


def _fold(mixed: list[tuple[datetime, int, Any]]) -> list[Entry]:
    entries: list[Entry] = []
    today = None
    for at, _rank, item in mixed:
        day = timezone.localtime(at).date()
        if day != today:
            entries.append(Entry(kind="day", day=day))
            today = day
        if isinstance(item, Interaction):
            entries.append(Entry(kind="line", line=item))
            continue
        if entries[-1].kind != "events":
            entries.append(Entry(kind="events"))
        entries[-1].events.append({"at": item.at, "text": event_text(item)})
    return entries


def event_text(event: CaseEvent) -> str:
    """Return one sentence about an event, in the viewer's language."""
    words = str(WORDS.get(event.kind, event.kind))
    text = f"{event.actor_name} {words}" if event.actor_id else words
    if event.from_state and event.to_state:
        text += f" · {CaseState(event.from_state).label} → {CaseState(event.to_state).label}"
    if event.data.get("owner"):
        text += f" · {event.data['owner']}"
    if event.data.get("reason") and event.kind != "reply_failed":
        text += f" · {event.data['reason']}"
    return text


def thread_sign(case: Case, entries: list[Entry]) -> str:
    """Return what tells a poll whether the thread looks different now."""
    parts = [f"{case.version}"]
    for entry in entries:
        if entry.line is not None:
            parts.append(f"{entry.line.pk}{entry.line.state}{entry.line.state_reason}")
        parts.append(str(len(entry.events)))
    return "-".join(parts)
