"""The rows of demo cases: services know only today, so the past is written with the times it had."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from feedback.demo.shapes import Story
from feedback.models import Case, CaseEvent, CaseState, Category, Interaction, Metric, SlaClock, SlaPolicy
from feedback.models.flow import ENDED
from feedback.services.numbers import draw_number
from notifyhub.customers.models import ContactPoint, Customer, Order
from notifyhub.staff.models import Team, User

Sending = Interaction.Sending
# The contact point behind each channel of an answer, the usual ones first.
KINDS = {"sms": "phone", "wechat": "wechat", "push": "push", "email": "email"}
WISHES = {
    "refund": (
        "not-received",
        "amount",
        "charged-twice",
        "missing-items",
        "damaged",
        "not-delivered",
        "spoiled",
    ),
    "redo": ("wrong-items", "no-room", "not-usable", "expired"),
    "apology": ("late", "rider"),
    "compensation": ("foreign-object", "illness", "message-not-received", "not-as-described"),
}


@dataclass
class Shelf:
    """Orders of one business line by age (`placed` is when); no customer is given out twice."""

    orders: list[Order]
    placed: list[datetime]
    taken: set[int] = field(default_factory=set)

    def take(self, *, before: datetime) -> Order | None:
        """Return the latest order begun by then of somebody who has not complained yet."""
        place = bisect_right(self.placed, before)
        for order in reversed(self.orders[:place]):
            begun = order.starts_at is None or order.starts_at < before
            if begun and order.customer_id not in self.taken:
                self.taken.add(order.customer_id)
                return order
        return None


@dataclass
class Met:
    """When the promises of a case were kept, as far as they were; `paused_at` stops the resolve clock."""

    ack: datetime | None = None
    first_reply: datetime | None = None
    resolved: datetime | None = None
    paused_at: datetime | None = None
    reopened_at: datetime | None = None
    cancelled: bool = False


@dataclass
class Sheet:
    """The rows made so far, written at the end by table."""

    rng: Random
    now: datetime
    team: Team | None
    agents: dict[str, User]
    shelves: dict[str, Shelf]
    points: dict[int, dict[str, ContactPoint]]
    tree: dict[str, Category]
    policies: dict[str, SlaPolicy]
    cases: list[Case] = field(default_factory=list)
    met: list[Met] = field(default_factory=list)
    lines: list[Interaction] = field(default_factory=list)
    events: list[CaseEvent] = field(default_factory=list)
    failing: list[Interaction] = field(default_factory=list)

    def open_case(
        self, story: Story, created: datetime, owner: User | None, order: Order | None, *, source: str = ""
    ) -> Case:
        """Return a new case with its first line and events: the owner's, or nobody's."""
        source = story.source or source or "app"
        phone = source == Case.Source.PHONE
        customer = order.customer if order else None
        case = self._case(story, created, customer, order, source)
        case.owner = owner
        case.created_by = owner if phone else None
        claimed = None if owner is None else created if phone else created + timedelta(minutes=2)
        case.owned_at = claimed
        case.unanswered = not phone
        case.state = CaseState.OPEN if owner else CaseState.NEW
        self.cases.append(case)
        self.met.append(Met(ack=claimed, first_reply=created if phone else None))
        kind = Interaction.Kind.CALL if phone else Interaction.Kind.MESSAGE
        self.lines.append(
            Interaction(
                case=case,
                direction="in",
                kind=kind,
                at=created,
                author=case.created_by,
                body=story.said,
            )
        )
        first = "log" if phone else "receive"
        self.tell(case, first, created, "", CaseState.OPEN if phone else CaseState.NEW, actor=case.created_by)
        if owner and claimed and not phone:
            self.tell(case, "claim", claimed, CaseState.NEW, CaseState.OPEN, actor=owner)
        return case

    def _case(
        self, story: Story, created: datetime, customer: Customer | None, order: Order | None, source: str
    ) -> Case:
        point = self.points.get(customer.pk, {}).get("phone") if customer else None
        return Case(
            number=draw_number(now=created),
            kind=story.kind,
            source=source,
            external_ref=f"12315-{created:%Y%m%d}-{len(self.cases):04d}" if source == "regulator" else "",
            customer=customer,
            contact_phone=point.value if point else None,
            contact_hash=point.value_hash if point else None,
            contact_last7_hash=point.last7_hash if point else None,
            contact_last4=point.last4 if point else "",
            contact_masked=point.masked if point else "",
            order_number=order.number if order else "",
            subject_ref=order.subject if order else "",
            category=self.tree[story.category],
            severity=story.severity,
            priority=story.severity.replace("S", "P"),
            summary=story.summary,
            remedy_sought=next((wish for wish, codes in WISHES.items() if story.category in codes), ""),
            detail=story.said,
            team=self.team,
            last_customer_at=created,
            fingerprint=f"demo-{len(self.cases)}",
            created_at=created,
        )

    def met_of(self, case: Case) -> Met:
        """Return what became of the promises of this case; the newest case is asked for most."""
        place = next(n for n in range(len(self.cases) - 1, -1, -1) if self.cases[n] is case)
        return self.met[place]

    def say(self, case: Case, who: str, text: str, at: datetime, *, channel: str = "") -> None:
        """Add a line to the thread: in, out, failed (an answer that does not arrive), note, call."""
        answers = who in ("out", "failed")
        line = Interaction(
            case=case,
            cycle=case.cycle,
            direction="out" if answers else "internal" if who == "note" else "in",
            kind="reply" if answers else who if who in ("note", "call") else "message",
            at=at,
            author=None if who == "in" else case.owner,
            body=text,
        )
        if answers:
            self._address(line, case, "sms" if who == "failed" else channel)
            if who == "failed":
                self.failing.append(line)
        if who in ("out", "call"):
            met = self.met_of(case)
            met.first_reply = met.first_reply or at
        if answers or who == "call":
            case.last_agent_at, case.unanswered = at, False
        if who in ("in", "call"):
            case.last_customer_at = at
        if who == "in":
            case.unanswered = True
        self.lines.append(line)

    def _address(self, line: Interaction, case: Case, channel: str) -> None:
        known = self.points.get(case.customer_id or 0, {})
        ways = [way for way, kind in KINDS.items() if kind in known and known[kind].valid]
        line.channel = channel or (self.rng.choice(ways[:3]) if ways else "sms")
        kind = KINDS[line.channel]
        line.sent_to = known[kind].masked if kind in known else case.contact_masked
        line.subject = f"关于您的工单 {case.number}"
        line.state, line.state_at = Sending.QUEUED, line.at

    def tell(
        self,
        case: Case,
        kind: str,
        at: datetime,
        source: str = "",
        to: str = "",
        *,
        actor: User | None = None,
        **data: Any,
    ) -> None:
        """Add a line to the history."""
        self.events.append(
            CaseEvent(
                case=case,
                kind=kind,
                at=at,
                actor=actor,
                actor_name=str(actor or "system"),
                from_state=source,
                to_state=to,
                data=data,
            )
        )

    def clocks(self) -> list[SlaClock]:
        """Return the clocks of all cases as their promises were kept."""
        return [
            clock for case, met in zip(self.cases, self.met, strict=True) for clock in self._of(case, met)
        ]

    def _of(self, case: Case, met: Met) -> Sequence[SlaClock]:
        policy = self.policies[case.severity]
        begin = case.created_at
        first_end = met.resolved if not met.reopened_at else met.reopened_at - timedelta(hours=3)
        clocks = [
            self._clock(case, Metric.ACK, begin, policy.ack_minutes, met.ack, met),
            self._clock(case, Metric.FIRST_REPLY, begin, policy.first_reply_minutes, met.first_reply, met),
            self._clock(case, Metric.RESOLVE, begin, policy.resolve_minutes, first_end, met),
        ]
        if met.reopened_at:
            again = self._clock(
                case, Metric.RESOLVE, met.reopened_at, policy.reopened_resolve_minutes, met.resolved, met
            )
            again.cycle = 2
            clocks.append(again)
        return clocks

    def _clock(
        self, case: Case, metric: str, begin: datetime, minutes: int, stopped: datetime | None, met: Met
    ) -> SlaClock:
        due = begin + timedelta(minutes=minutes)
        clock = SlaClock(case=case, metric=metric, started_at=begin, target_seconds=minutes * 60, due_at=due)
        paused = met.paused_at if metric == Metric.RESOLVE and stopped is None else None
        if stopped is None and (met.cancelled or case.state in ENDED):
            clock.state = SlaClock.State.CANCELLED
        elif due < (stopped or paused or self.now):
            clock.state, clock.breached_at, clock.stopped_at = SlaClock.State.BREACHED, due, stopped
        elif stopped:
            clock.state, clock.stopped_at = SlaClock.State.MET, stopped
        elif paused:
            clock.state, clock.due_at = SlaClock.State.PAUSED, None
            clock.accrued_seconds = int((paused - begin).total_seconds())
        else:
            clock.state, clock.running_since = SlaClock.State.RUNNING, begin
        return clock
