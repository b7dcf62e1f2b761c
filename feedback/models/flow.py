"""The life of a case: its states, and every move between them as data."""

from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from notifyhub.core.flow import Flow


class CaseState(models.TextChoices):
    """Reopened is `cycle > 1`, not a state; escalated will be a level, not a state."""

    NEW = "new", pgettext_lazy("case", "New")
    OPEN = "open", pgettext_lazy("case", "Open")
    WAIT_CUSTOMER = "wait_customer", _("Waiting for customer")
    WAIT_DEPT = "wait_dept", _("Waiting for department")
    WAIT_THIRD = "wait_third", _("Waiting for third party")
    RESOLVED = "resolved", _("Resolved")
    CLOSED = "closed", pgettext_lazy("case", "Closed")
    MERGED = "merged", _("Merged")
    VOID = "void", _("Void")


S = CaseState

WAITING = (S.WAIT_CUSTOMER, S.WAIT_DEPT, S.WAIT_THIRD)
OPEN_STATES = (S.NEW, S.OPEN, *WAITING)
ENDED = (S.CLOSED, S.MERGED, S.VOID)


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One trigger: from which states, to which, and who may pull it.

    `who`: "owner" is the owner of the case or a lead, "agent" anyone who works on cases, "lead" those who
    may assign, "system" ticks and incoming messages only. A source of None means that the case is made.
    """

    trigger: str
    sources: tuple[CaseState | None, ...]
    to: CaseState
    who: tuple[str, ...]


EDGES: tuple[Edge, ...] = (
    Edge(trigger="receive", sources=(None,), to=S.NEW, who=("system",)),
    Edge(trigger="log", sources=(None,), to=S.OPEN, who=("agent",)),
    Edge(trigger="claim", sources=(S.NEW,), to=S.OPEN, who=("agent",)),
    Edge(trigger="assign", sources=(S.NEW,), to=S.OPEN, who=("lead", "system")),
    Edge(trigger="first_reply", sources=(S.NEW,), to=S.OPEN, who=("agent",)),
    Edge(trigger="wait_customer", sources=(S.OPEN,), to=S.WAIT_CUSTOMER, who=("owner",)),
    Edge(trigger="wait_dept", sources=(S.OPEN,), to=S.WAIT_DEPT, who=("owner",)),
    Edge(trigger="wait_third", sources=(S.OPEN,), to=S.WAIT_THIRD, who=("owner",)),
    Edge(trigger="customer_replied", sources=(S.WAIT_CUSTOMER,), to=S.OPEN, who=("system", "agent")),
    Edge(trigger="resume", sources=WAITING, to=S.OPEN, who=("owner", "system")),
    Edge(trigger="resolve", sources=(S.OPEN, *WAITING), to=S.RESOLVED, who=("owner", "system")),
    Edge(trigger="reopen", sources=(S.RESOLVED,), to=S.OPEN, who=("agent", "system")),
    Edge(trigger="close", sources=(S.RESOLVED,), to=S.CLOSED, who=("lead", "system")),
    Edge(trigger="merge", sources=(*OPEN_STATES, S.RESOLVED), to=S.MERGED, who=("agent",)),
    Edge(trigger="void", sources=(S.NEW, S.OPEN), to=S.VOID, who=("agent",)),
    Edge(trigger="restore", sources=(S.VOID,), to=S.OPEN, who=("lead",)),
)

BY_TRIGGER = {edge.trigger: edge for edge in EDGES}

FLOW = Flow({state: frozenset(edge.to for edge in EDGES if state in edge.sources) for state in CaseState})


def triggers_from(state: str) -> list[str]:
    """Return the triggers that a case in `state` knows, in the order of the table."""
    return [edge.trigger for edge in EDGES if state in edge.sources]
