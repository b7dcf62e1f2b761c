"""Writing demo cases as they would stand after two weeks of work; rows, since services know only today."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.utils import timezone

from feedback.demo.stories import STORIES, Story
from feedback.models import Case, CaseEvent, CaseState, Category, Interaction, SlaClock, SlaPolicy
from feedback.services import clocks, holds
from feedback.services.categories import ensure_categories
from feedback.services.numbers import draw_number
from notifyhub.customers.models import ContactPoint, Order
from notifyhub.staff.models import Team, User

FINISHED = 150
OPEN = 34
DAYS = 14
AGENTS = ("zhouning", "liuxiang", "hejia")
TEAM = "客服一组"
RESOLVED = (CaseState.RESOLVED, CaseState.CLOSED)
# Each story by its place, the common ones more often: late food, missing items, messages, refunds.
SHARES = (0, 0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 9, 10, 11, 12, 12, 13, 14, 15, 16)
# Open work as a desk sees it in the late morning.
STATES = (
    [CaseState.NEW] * 6
    + [CaseState.OPEN] * 18
    + [CaseState.WAIT_CUSTOMER] * 5
    + [CaseState.WAIT_DEPT] * 3
    + [CaseState.WAIT_THIRD] * 2
)


@dataclass
class Sheet:
    """The rows made so far, written at the end by table."""

    rng: Random
    now: datetime
    team: Team | None
    agents: list[User]
    orders: list[Order]
    phones: dict[int, ContactPoint]
    tree: dict[str, Category]
    policies: dict[str, SlaPolicy]
    cases: list[Case] = field(default_factory=list)
    lines: list[Interaction] = field(default_factory=list)
    events: list[CaseEvent] = field(default_factory=list)
    clocks: list[SlaClock] = field(default_factory=list)


def load_cases() -> int:
    """Make the demo's cases and return how many; none without customers or agents."""
    ensure_categories()
    clocks.ensure_policies()
    orders = list(Order.objects.select_related("customer").order_by("-placed_at")[: (FINISHED + OPEN) * 2])
    agents = list(User.objects.filter(username__in=AGENTS).order_by("username"))
    if not orders or not agents:
        return 0
    rng = Random(20261121)
    rng.shuffle(orders)
    points = ContactPoint.objects.filter(
        customer_id__in=[order.customer_id for order in orders], kind="phone", primary=True
    )
    sheet = Sheet(
        rng=rng,
        now=timezone.now(),
        team=Team.objects.filter(name=TEAM).first(),
        agents=agents,
        orders=orders,
        phones={point.customer_id: point for point in points},
        tree={category.code: category for category in Category.objects.all()},
        policies={policy.severity: policy for policy in SlaPolicy.objects.all()},
    )
    for number in range(FINISHED):
        _finished(sheet, number)
    for state in STATES[:OPEN]:
        _open(sheet, state)
    _write(sheet)
    return len(sheet.cases)


def _finished(sheet: Sheet, number: int) -> None:
    rng = sheet.rng
    created = sheet.now - timedelta(days=DAYS * (1 - number / FINISHED), minutes=rng.randint(120, 700))
    story = STORIES[rng.choice(SHARES)]
    minutes = sheet.policies[story.severity].resolve_minutes * rng.choice((0.1, 0.2, 0.3, 0.5, 0.8, 1.15))
    resolved = min(created + timedelta(minutes=minutes), sheet.now - timedelta(minutes=rng.randint(5, 240)))
    closed = resolved + Case.CLOSE_AFTER
    case = _case(sheet, story, created, CaseState.CLOSED if closed < sheet.now else CaseState.RESOLVED)
    case.resolved_at = resolved
    case.closed_at = closed if closed < sheet.now else None
    case.decision, case.resolution_code, case.root_cause = story.outcome
    replied = created + timedelta(minutes=rng.randint(1, 40))
    _say(case, sheet, Interaction.Direction.OUT, story.answer, min(replied, resolved))
    _tell(case, sheet, "resolve", resolved, CaseState.OPEN, CaseState.RESOLVED)
    if case.closed_at:
        _tell(case, sheet, "close", closed, CaseState.RESOLVED, CaseState.CLOSED)


def _open(sheet: Sheet, state: CaseState) -> None:
    rng = sheet.rng
    story = STORIES[rng.choice(SHARES) % 14]
    longest = min(sheet.policies[story.severity].resolve_minutes * 1.05, 2000)
    age = rng.randint(3, 55) if state == CaseState.NEW else rng.randint(8, int(longest))
    created = sheet.now - timedelta(minutes=age)
    case = _case(sheet, story, created, state)
    if state == CaseState.NEW:
        return
    replied = created + timedelta(minutes=min(age - 2, rng.randint(2, 25)))
    _say(case, sheet, Interaction.Direction.OUT, story.answer, replied)
    if state in (CaseState.WAIT_CUSTOMER, CaseState.WAIT_DEPT, CaseState.WAIT_THIRD):
        case.wait_reason = {
            "wait_customer": "等客户发照片",
            "wait_dept": "等财务查退款",
            "wait_third": "等商家回电",
        }[state]
        case.wait_until = sheet.now + timedelta(hours=rng.randint(3, 40))
        _tell(case, sheet, state.value, replied + timedelta(minutes=1), CaseState.OPEN, state)
    elif rng.random() < 0.35:
        _say(
            case,
            sheet,
            Interaction.Direction.IN,
            "好的，请快一点。",
            sheet.now - timedelta(minutes=rng.randint(1, 7)),
        )
    elif rng.random() < 0.4:
        _say(case, sheet, Interaction.Direction.INTERNAL, "商家后台显示已出餐，等站点回话。", replied)


def _case(sheet: Sheet, story: Story, created: datetime, state: CaseState) -> Case:
    rng = sheet.rng
    order = sheet.orders[len(sheet.cases)]
    point = sheet.phones.get(order.customer_id)
    owner = None if state == CaseState.NEW else rng.choice(sheet.agents)
    source = "app" if state == CaseState.NEW else rng.choice(("phone", "phone", "app", "chat"))
    case = Case(
        number=draw_number(now=created),
        kind=story.kind,
        source=source,
        customer_id=order.customer_id,
        contact_phone=point.value if point else None,
        contact_hash=point.value_hash if point else None,
        contact_last7_hash=point.last7_hash if point else None,
        contact_last4=point.last4 if point else "",
        contact_masked=point.masked if point else "",
        order_number=order.number,
        subject_ref=order.subject,
        category=sheet.tree[story.category],
        severity=story.severity,
        priority=story.severity.replace("S", "P"),
        summary=story.summary,
        detail=story.said,
        owner=owner,
        owned_at=created if owner else None,
        team=sheet.team,
        state=state,
        last_customer_at=created,
        unanswered=owner is None,
        fingerprint=f"demo-{len(sheet.cases)}",
        created_at=created,
        created_by=owner if source == "phone" else None,
    )
    sheet.cases.append(case)
    kind = Interaction.Kind.CALL if source == "phone" else Interaction.Kind.MESSAGE
    sheet.lines.append(
        Interaction(case=case, direction="in", kind=kind, at=created, author=case.created_by, body=story.said)
    )
    made = source == "phone" and owner is not None
    first = CaseState.OPEN if made else CaseState.NEW
    _tell(case, sheet, "log" if made else "receive", created, "", first, actor=owner if made else None)
    if owner is not None and not made:
        _tell(case, sheet, "claim", created + timedelta(minutes=2), CaseState.NEW, CaseState.OPEN)
    return case


def _say(case: Case, sheet: Sheet, direction: str, body: str, at: datetime) -> None:
    out, internal = direction == "out", direction == "internal"
    kind = "reply" if out else "note" if internal else "message"
    line = Interaction(
        case=case,
        direction=direction,
        kind=kind,
        at=at,
        body=body,
        author=case.owner if out or internal else None,
    )
    if out:
        line.channel, line.sent_to = "sms", case.contact_masked
        line.state, line.state_at = "delivered", at + timedelta(seconds=4)
        case.last_agent_at, case.unanswered = at, False
    elif not internal:
        case.last_customer_at, case.unanswered = at, True
    sheet.lines.append(line)


def _tell(
    case: Case, sheet: Sheet, kind: str, at: datetime, source: str, to: str, *, actor: User | None = None
) -> None:
    actor = actor or (case.owner if kind not in ("receive", "close") else None)
    sheet.events.append(
        CaseEvent(
            case=case,
            kind=kind,
            at=at,
            actor=actor,
            actor_name=str(actor or "system"),
            from_state=source,
            to_state=to,
        )
    )


def _run_clocks(sheet: Sheet, case: Case) -> None:
    policy = sheet.policies[case.severity]
    claimed = case.owned_at + timedelta(minutes=2) if case.owned_at else None
    met: dict[str, Any] = {"ack": claimed, "first_reply": case.last_agent_at, "resolve": case.resolved_at}
    minutes = {
        "ack": policy.ack_minutes,
        "first_reply": policy.first_reply_minutes,
        "resolve": policy.resolve_minutes,
    }
    for metric, target in minutes.items():
        due = case.created_at + timedelta(minutes=target)
        stopped = met[metric]
        late = due < (stopped or sheet.now)
        clock = SlaClock(
            case=case,
            metric=metric,
            started_at=case.created_at,
            target_seconds=target * 60,
            due_at=due,
            stopped_at=stopped,
            state="breached" if late else "met" if stopped else "running",
            breached_at=due if late else None,
            running_since=None if late or stopped else case.created_at,
        )
        if metric == "resolve" and case.state == CaseState.WAIT_CUSTOMER and clock.state == "running":
            used = int((sheet.now - case.created_at).total_seconds())
            clock.state, clock.accrued_seconds, clock.due_at, clock.running_since = "paused", used, None, None
        sheet.clocks.append(clock)


def _write(sheet: Sheet) -> None:
    for case in sheet.cases:
        _run_clocks(sheet, case)
    Case.objects.bulk_create(sheet.cases)
    for line in sheet.lines:
        line.origin_case = line.case
    Interaction.objects.bulk_create(sheet.lines)
    CaseEvent.objects.bulk_create(sheet.events)
    SlaClock.objects.bulk_create(sheet.clocks)
    clocks.show_next_due([case.pk for case in sheet.cases if case.state not in RESOLVED])
    for case in sheet.cases:
        if case.is_open:
            holds.sync_hold(case)
