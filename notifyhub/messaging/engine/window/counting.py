"""Counting the customers of a window as it opens, and uncounting those whom nothing reached."""

from datetime import date, datetime

from notifyhub.messaging.engine.asks import Refusal, asks_of
from notifyhub.messaging.engine.judge import IN_DOUBT
from notifyhub.messaging.engine.quiet import zone_of
from notifyhub.messaging.engine.reserve import Claim, give_back, reserve
from notifyhub.messaging.engine.respects import text_respect
from notifyhub.messaging.engine.returns import give_back_for
from notifyhub.messaging.engine.statements import prepared
from notifyhub.messaging.engine.window.parts import Draft, Plan
from notifyhub.messaging.engine.window.verdicts import skipped
from notifyhub.messaging.engine.write import BatchWrite, Verdict
from notifyhub.messaging.models import Delivery

State = Delivery.State

# The batch first, then the counters: a worker that lost its lease must not hold counters while it waits.
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
    with prepared() as cursor:
        batches = [plan.batch for plan in plans]
        cursor.execute(_OURS, {"ids": [one.id for one in batches], "epochs": [one.epoch for one in batches]})
        ours = {row[0] for row in cursor.fetchall()}
    drafts = [
        (plan, draft)
        for plan in plans
        if plan.batch.id in ours
        for draft in plan.drafts
        # The one re-send of a message in doubt was counted with its first try.
        if draft.row["mark"] not in IN_DOUBT
    ]
    days: dict[int, date] = {}
    zones: dict[str, date] = {}
    if not drafts:
        return
    # One statement read the whole window, at one moment.
    moment = drafts[0][1].row["looked_at"]
    answers = reserve([_claim(draft, moment, days, zones) for _plan, draft in drafts], moment=moment)
    refused: set[int] = set()
    for (plan, draft), answer in zip(drafts, answers, strict=True):
        if isinstance(answer, Refusal):
            plan.settled.append(skipped(draft.row, answer.reason, answer.detail))
            refused.add(id(draft))
        else:
            draft.taken = answer
    for plan in plans:
        plan.drafts = [draft for draft in plan.drafts if id(draft) not in refused]


def _claim(draft: Draft, moment: datetime, days: dict[int, date], zones: dict[str, date]) -> Claim:
    row, limits, message = draft.row, draft.limits, draft.message
    text = None
    if limits.duplicate_hours:
        # A mail of nothing but HTML is the rare one.
        html = message.html if message.text or message.page is None else message.page.html
        text = text_respect(message.subject, message.text, html)
    zone, person = row["time_zone"], row["person_id"]
    today = zones.get(zone)
    if today is None:
        today = zones[zone] = moment.astimezone(zone_of(zone)).date()
    return Claim(
        customer_id=person,
        # One customer has one day in a window, whichever of two merged rows tells the zone.
        day=days.setdefault(person, today),
        asks=asks_of(limits, subject_ref=row["subject_ref"] or "", text=text, goes_on=row["goes_on"]),
    )


def uncount(drafts: list[Draft], verdicts: list[Verdict]) -> list[Draft]:
    """Return those drafts that certainly did not go out and will be counted again if they ever do."""
    return [
        draft
        for draft, verdict in zip(drafts, verdicts, strict=True)
        if verdict.state in (State.FAILED, State.SKIPPED)
        or (verdict.state == State.PLANNED and verdict.reason not in IN_DOUBT)
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
