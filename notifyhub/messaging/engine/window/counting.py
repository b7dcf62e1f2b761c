"""Counting the customers of a window as it opens, and uncounting those whom nothing reached."""

from collections.abc import Iterable
from datetime import date, datetime

from notifyhub.messaging.engine.asks import Ask, Refusal, other_asks, text_ask
from notifyhub.messaging.engine.judge import IN_DOUBT
from notifyhub.messaging.engine.quiet import zone_of
from notifyhub.messaging.engine.reserve import Claim, NotOurs, Taken, give_back, reserve
from notifyhub.messaging.engine.respects import text_respect
from notifyhub.messaging.engine.returns import give_back_for
from notifyhub.messaging.engine.statements import prepared
from notifyhub.messaging.engine.window.parts import Draft, Plan
from notifyhub.messaging.engine.window.verdicts import skipped
from notifyhub.messaging.engine.write import BatchWrite, Verdict
from notifyhub.messaging.models import Delivery

State = Delivery.State
_SENT = State.SENT.value

_OURS = """
SELECT t.id FROM messaging_batch t JOIN unnest(%(ids)s::bigint[], %(epochs)s::int[]) AS b(id, epoch)
    ON t.id = b.id AND t.epoch = b.epoch
WHERE t.state = 1 ORDER BY t.id FOR UPDATE OF t
"""


def counts(plan: Plan) -> bool:
    """Say whether a message of the plan is counted in any respect."""
    return any(draft.limits.counts and draft.row["mark"] not in IN_DOUBT for draft in plan.drafts)


def count_in(plans: list[Plan]) -> None:
    """Reserve for the drafts of those plans that are still ours; who is over a limit is skipped.

    To be called in the transaction that opens the window.
    """
    try:
        counted = _count(plans)
    except NotOurs:
        # Some were taken away; the others go on without them.
        with prepared() as cursor:
            batches = [plan.batch for plan in plans]
            ids, epochs = [one.id for one in batches], [one.epoch for one in batches]
            cursor.execute(_OURS, {"ids": ids, "epochs": epochs})
            ours = {row[0] for row in cursor.fetchall()}
        counted = _count([plan for plan in plans if plan.batch.id in ours])
    refused: set[int] = set()
    for plan, draft, answer in counted:
        if isinstance(answer, Refusal):
            plan.settled.append(skipped(draft.row, answer.reason, answer.detail))
            refused.add(id(draft))
        else:
            draft.taken = answer
    for plan in plans:
        plan.drafts = [draft for draft in plan.drafts if id(draft) not in refused]


def _count(plans: list[Plan]) -> list[tuple[Plan, Draft, Iterable[Taken] | Refusal]]:
    # The one re-send of a message in doubt was counted with its first try.
    drafts = [(plan, draft) for plan in plans for draft in plan.drafts if draft.row["mark"] not in IN_DOUBT]
    if not drafts:
        return []
    # One statement read the whole window, at one moment.
    moment = drafts[0][1].row["looked_at"]
    claims = _Claims(moment)
    answers = reserve(
        [claims.of(draft) for _plan, draft in drafts],
        moment=moment,
        held=[(plan.batch.id, plan.batch.epoch) for plan in plans],
    )
    return [(plan, draft, answer) for (plan, draft), answer in zip(drafts, answers, strict=True)]


class _Claims:
    """What the messages of a window ask of their customers' counters; what many share is found once."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment
        self._days: dict[int, date] = {}
        self._zones: dict[str, date] = {}
        # By limits, which the plans keep alive, and whether it goes on; without a subject.
        self._others: dict[tuple[int, bool], tuple[Ask, ...]] = {}

    def of(self, draft: Draft) -> Claim:
        """Return what one message asks."""
        row, limits = draft.row, draft.limits
        zone, person = row["time_zone"], row["person_id"]
        subject, goes_on = row["subject_ref"], row["goes_on"]
        today = self._zones.get(zone)
        if today is None:
            today = self._zones[zone] = self._moment.astimezone(zone_of(zone)).date()
        asks = None if subject else self._others.get((id(limits), goes_on))
        if asks is None:
            asks = other_asks(limits, subject_ref=subject or "", goes_on=goes_on)
            if not subject:
                self._others[id(limits), goes_on] = asks
        if limits.duplicate_hours and not goes_on:
            asks = (text_ask(_text(draft), hours=limits.duplicate_hours), *asks)
        # One customer has one day in a window, whichever of two merged rows tells the zone.
        return Claim(customer_id=person, day=self._days.setdefault(person, today), asks=asks)


def _text(draft: Draft) -> int:
    message = draft.message
    # A mail of nothing but HTML is the rare one.
    html = message.html if message.text or message.page is None else message.page.html
    return text_respect(message.subject, message.text, html)


def uncount(drafts: list[Draft], verdicts: list[Verdict]) -> list[Draft]:
    """Return those drafts that certainly did not go out and will be counted again if they ever do."""
    return [
        draft
        for draft, verdict in zip(drafts, verdicts, strict=True)
        # Nearly all of them went out.
        if verdict.state != _SENT
        and (
            verdict.state in (State.FAILED, State.SKIPPED)
            or (verdict.state == State.PLANNED and verdict.reason not in IN_DOUBT)
        )
    ]


def count_out(writes: list[BatchWrite], drafts: dict[int, list[Draft]], ours: set[int]) -> None:
    """Give back what the lost drafts of our batches took, in the transaction that settles them."""
    gone: list[Draft] = []
    for write in writes:
        if write.batch.id in ours:
            mine = drafts[write.batch.id]
            lost = uncount(mine, write.verdicts)
            if write.early:
                lost = [draft for draft in lost if draft.row["id"] not in write.early] + _failed_early(
                    write, mine
                )
            gone += lost
    give_back(taken for draft in gone for taken in draft.taken)
    for draft in gone:
        if draft.row["mark"] in IN_DOUBT and draft.limits.counts:
            give_back_for(dispatch_id=draft.row["dispatch_id"], delivery_ids=[draft.row["id"]])


def _failed_early(write: BatchWrite, drafts: list[Draft]) -> list[Draft]:
    """Return the drafts that a receipt told of first and that ended as not received."""
    rows = Delivery.objects.filter(dispatch_id=write.batch.dispatch_id, id__in=write.early)
    failed = set(rows.filter(state__in=(State.FAILED, State.BOUNCED)).values_list("id", flat=True))
    return [draft for draft in drafts if draft.row["id"] in failed]
