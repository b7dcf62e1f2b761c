"""What happened to the demo's cases: two weeks of finished ones, and the open work of this morning."""

from datetime import datetime, timedelta

from feedback.demo.desk import OPEN, VOID
from feedback.demo.rows import Sheet
from feedback.demo.shapes import Open, Story
from feedback.demo.stories import STORIES
from feedback.models import Case, CaseState
from notifyhub.customers.models import Order

FINISHED = 130
DAYS = 14
# How many of a hundred cases of a day come in each hour: lunch and supper are the peaks.
HOURS = (1, 1, 0, 0, 0, 0, 1, 2, 4, 5, 6, 10, 14, 9, 5, 4, 4, 6, 9, 8, 5, 3, 2, 1)
WEIGHTS = {"complaint": 4, "enquiry": 3, "suggestion": 2, "praise": 2, "regulator": 1}
WAITS = (CaseState.WAIT_CUSTOMER, CaseState.WAIT_DEPT, CaseState.WAIT_THIRD)


def moments(sheet: Sheet) -> list[datetime]:
    """Return when the finished cases came in, oldest first."""
    found: list[datetime] = []
    midnight = sheet.now.replace(hour=0, minute=0, second=0, microsecond=0)
    while len(found) < FINISHED:
        hour = sheet.rng.choices(range(24), HOURS)[0]
        at = midnight - timedelta(days=sheet.rng.randrange(DAYS))
        at = at.replace(hour=hour) + timedelta(seconds=sheet.rng.randrange(3600))
        if at < sheet.now - timedelta(minutes=80):
            found.append(at)
    return sorted(found)


def finish_one(
    sheet: Sheet, story: Story, created: datetime, order: Order | None = None, *, source: str = ""
) -> Case:
    """Add a case that was answered and resolved, and closed if that is a week ago; return it."""
    rng = sheet.rng
    owner = rng.choice(list(sheet.agents.values()))
    order = order or (sheet.shelves[story.line].take(before=created) if story.line else None)
    source = source or rng.choice(("phone", "phone", "app", "app", "chat"))
    case = sheet.open_case(story, created, owner, order, source=source)
    policy = sheet.policies[story.severity]
    target = policy.resolve_minutes * rng.choice((0.04, 0.08, 0.15, 0.25, 0.5, 0.8, 1.1))
    latest = sheet.now - timedelta(minutes=rng.randint(5, 55))
    replied = created + timedelta(minutes=policy.first_reply_minutes * rng.choice((0.2, 0.3, 0.4, 0.6, 1.2)))
    replied = min(replied, latest - timedelta(minutes=12))
    sheet.say(case, "out", story.answer, replied)
    thanked = replied + timedelta(minutes=rng.randint(2, 9))
    if rng.random() < 0.3:
        sheet.say(case, "in", rng.choice(("好的，谢谢。", "收到，辛苦了。", "行，那我等着。")), thanked)
    resolved = min(max(created + timedelta(minutes=target), thanked + timedelta(minutes=1)), latest)
    case.state, case.resolved_at, case.unanswered = CaseState.RESOLVED, resolved, False
    case.decision, case.resolution_code, case.root_cause = story.outcome
    sheet.met_of(case).resolved = resolved
    sheet.tell(case, "resolve", resolved, CaseState.OPEN, CaseState.RESOLVED, actor=owner)
    closed = resolved + Case.CLOSE_AFTER
    if closed < sheet.now:
        case.state, case.closed_at = CaseState.CLOSED, closed
        sheet.tell(case, "close", closed, CaseState.RESOLVED, CaseState.CLOSED)
    return case


def open_one(sheet: Sheet, work: Open, order: Order | None = None) -> Case:
    """Add a case as the desk describes it; return it."""
    created = _ago(sheet, work.age)
    owner = sheet.agents.get(work.owner)
    story = work.story
    order = order or sheet.shelves[story.line].take(before=created)
    case = sheet.open_case(story, created, owner, order)
    met = sheet.met_of(case)
    last = created
    for turn in work.turns:
        at = _ago(sheet, turn.ago)
        if work.reopened and turn.ago < work.reopened and not met.reopened_at:
            _reopen(sheet, case, work.reopened)
        sheet.say(case, turn.who, turn.text, at, channel=turn.channel)
        last = at
    if work.reopened and not met.reopened_at:
        _reopen(sheet, case, work.reopened)
    if work.state in WAITS:
        case.state = CaseState(work.state)
        case.wait_reason = work.waits
        case.wait_until = sheet.now + timedelta(hours=work.wait_hours)
        parked = last + timedelta(minutes=1)
        met.paused_at = parked if case.state == CaseState.WAIT_CUSTOMER else None
        until = case.wait_until.isoformat()
        sheet.tell(case, work.state, parked, CaseState.OPEN, case.state, actor=owner, until=until)
    return case


def _reopen(sheet: Sheet, case: Case, ago: int) -> None:
    at = _ago(sheet, ago)
    resolved = at - timedelta(hours=3)
    sheet.tell(case, "resolve", resolved, CaseState.OPEN, CaseState.RESOLVED, actor=case.owner)
    why = "客户说问题没有解决"
    sheet.tell(case, "reopen", at, CaseState.RESOLVED, CaseState.OPEN, actor=case.owner, reason=why)
    case.cycle, case.reopen_count = 2, 1
    sheet.met_of(case).reopened_at = at
    sheet.say(case, "in", "说好的没有兑现，请重新处理。", at)


def set_aside(sheet: Sheet, age: int, reason: str, story: Story) -> Case:
    """Add something that was no case; return it."""
    created = _ago(sheet, age)
    owner = sheet.agents["zhouning"]
    case = sheet.open_case(story, created, owner, None)
    case.state, case.unanswered = CaseState.VOID, False
    at = created + timedelta(minutes=4)
    sheet.tell(case, "void", at, CaseState.OPEN, CaseState.VOID, actor=owner, reason=reason)
    return case


def merge_into(sheet: Sheet, target: Case, story: Story, order: Order, age: int) -> Case:
    """Add a second complaint about the same thing, merged into the first; return it."""
    owner = target.owner
    case = sheet.open_case(story, _ago(sheet, age), owner, order)
    case.state, case.merged_into, case.unanswered = CaseState.MERGED, target, False
    at = case.created_at + timedelta(minutes=3)
    sheet.tell(case, "merge", at, CaseState.OPEN, CaseState.MERGED, actor=owner, into=target.number)
    return case


def fill(sheet: Sheet) -> None:
    """Put the finished cases, the open ones and the rest on the sheet."""
    weights = [WEIGHTS[story.kind] for story in STORIES]
    regulars = [order for line in ("food", "hotel") for order in sheet.shelves[line].orders[:3]]
    for created in moments(sheet):
        story = sheet.rng.choices(STORIES, weights)[0]
        # Some people have more bad luck than others.
        again = [order for order in regulars if order.line == story.line and sheet.rng.random() < 0.06]
        finish_one(sheet, story, created, again[0] if again else None)
    for age, reason, story in VOID:
        set_aside(sheet, age, reason, story)
    for work in sorted(OPEN, key=lambda one: -one.age):
        open_one(sheet, work)


def _ago(sheet: Sheet, minutes: int) -> datetime:
    return sheet.now - timedelta(minutes=minutes)
