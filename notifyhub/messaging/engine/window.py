"""One window: read and gate, render, open, hand over, settle.

Between "open" and "settle" lies the only span in which a crash leaves doubt, and only about the rows that
were opened: rows that a gate stops or that cannot be rendered are settled with the opening.
"""

import concurrent.futures
import logging
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from notifyhub.messaging.channels.base import LEASE_LOST, Message, Result
from notifyhub.messaging.channels.registry import backends
from notifyhub.messaging.engine import accounts as account_gates
from notifyhub.messaging.engine.accounts import Account, Accounts
from notifyhub.messaging.engine.careful import mark_before_render, unmark
from notifyhub.messaging.engine.compose import Composer, NoContent, NotAllowListed, Row
from notifyhub.messaging.engine.endings import end_batch
from notifyhub.messaging.engine.judge import judge_result
from notifyhub.messaging.engine.lease import Lease, LeasedBatch
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.window_sql import read_window
from notifyhub.messaging.engine.write import BatchWrite, Verdict, write_window
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.rendering import RenderError
from notifyhub.messaging.signals import deliveries_settled

logger = logging.getLogger(__name__)
State = Delivery.State
Reason = Delivery.Reason

# Rows of a window. Larger ones settle faster and leave more in doubt when a process dies.
WINDOW_ROWS = 100


@dataclass(kw_only=True)
class Draft:
    """A row that is to be handed over."""

    row: Row
    message: Message
    copy: bytes
    account: Account


@dataclass(kw_only=True)
class Plan:
    """What is to become of the rows that one batch has in this window, up to `last`."""

    batch: LeasedBatch
    last: int
    settled: list[Verdict] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    starved: bool = False


@dataclass(kw_only=True)
class Done:
    """How a window went: rows brought to their end, batches that must wait, and whether the lease is lost."""

    rows: int = 0
    waiting: list[LeasedBatch] = field(default_factory=list)
    lost: list[LeasedBatch] = field(default_factory=list)


def run_window(
    lease: Lease,
    batches: list[LeasedBatch],
    *,
    transport: Transport,
    accounts: Accounts,
    composer: Composer,
    take: int,
    careful: bool = False,
) -> Done:
    """Bring up to `take` rows of each batch to their end; return how it went.

    A kill at any moment leaves at most the rows of this window in doubt. `careful` marks its single row
    before rendering it, to find the one that kills its process.
    """
    done = Done()
    by_batch: dict[int, list[Row]] = defaultdict(list)
    for row in read_window(batches, take=take):
        by_batch[row["batch_id"]].append(row)
    live: list[tuple[LeasedBatch, list[Row]]] = []
    for batch in batches:
        rows = by_batch.get(batch.id)
        if not rows:
            done.lost.append(batch)
        elif rows[0]["dispatch_state"] == Dispatch.State.CANCELLING or rows[0]["expired"]:
            cancelled = rows[0]["dispatch_state"] == Dispatch.State.CANCELLING
            done.rows += end_batch(batch, cancelled=cancelled, worker=lease.owner)
        elif rows[0]["dispatch_state"] != Dispatch.State.RUNNING:
            done.waiting.append(batch)
        else:
            live.append((batch, [row for row in rows if row["id"] is not None]))
    if careful:
        mark_before_render(live)
    plans = _prepare(live, accounts=accounts, composer=composer, take=take)
    done.waiting += [plan.batch for plan in plans if plan.starved]
    if careful and done.waiting:
        unmark(live)
    _open_and_send(lease, plans, transport=transport, done=done)
    return done


def _prepare(
    live: list[tuple[LeasedBatch, list[Row]]], *, accounts: Accounts, composer: Composer, take: int
) -> list[Plan]:
    """Judge and render the rows, and take what the buckets grant for those that are to be sent."""
    variables = composer.variables([row for _, rows in live for row in rows if not row["verdict"]])
    plans: list[Plan] = []
    wanted: dict[int, int] = defaultdict(int)
    probes: set[int] = set()
    for batch, rows in live:
        plan = Plan(batch=batch, last=rows[-1]["id"] if len(rows) == take else batch.hi)
        choice = accounts.choose(batch.channel)
        if choice.blocked:
            plan.starved, plan.last = True, batch.cursor
            rows = []
        if choice.probe and choice.account:
            probes.add(choice.account.id)
        for row in rows:
            verdict = _gate(row) or (None if choice.account else _failure(row, Reason.NO_ACCOUNT))
            if verdict is None and choice.account:
                outcome = _compose(row, variables[row["id"]], composer, choice.account)
                if isinstance(outcome, Draft):
                    plan.drafts.append(outcome)
                    wanted[choice.account.id] += 1
                    continue
                verdict = outcome
            if verdict is not None:
                plan.settled.append(verdict)
        plans.append(plan)
    granted = {number: _grant(number, count, probe=number in probes) for number, count in wanted.items()}
    for plan in plans:
        _cut(plan, granted)
    return plans


def _grant(account_id: int, wanted: int, *, probe: bool) -> int:
    if probe:
        wanted = 1 if account_gates.begin_probe(account_id) else 0
    return account_gates.take_tokens(account_id, wanted)


def _cut(plan: Plan, granted: dict[int, int]) -> None:
    """Keep the rows up to the first that the bucket has nothing left for."""
    for place, draft in enumerate(plan.drafts):
        if granted[draft.account.id] > 0:
            granted[draft.account.id] -= 1
            continue
        plan.last = draft.row["id"] - 1
        plan.drafts = plan.drafts[:place]
        plan.settled = [one for one in plan.settled if one.row <= plan.last]
        plan.starved = True
        return


def _gate(row: Row) -> Verdict | None:
    if not row["verdict"]:
        return None
    return Verdict(
        row=row["id"],
        state=State.SKIPPED,
        kind=DeliveryEvent.Kind.SKIPPED,
        reason=row["verdict"],
        code=row["verdict"],
        tries=row["tries"],
    )


def _failure(row: Row, reason: str, detail: str = "") -> Verdict:
    return Verdict(
        row=row["id"],
        state=State.FAILED,
        kind=DeliveryEvent.Kind.FAILED,
        reason=reason,
        code=reason,
        detail=detail,
        tries=row["tries"],
    )


def _compose(row: Row, variables: dict[str, Any], composer: Composer, account: Account) -> Draft | Verdict:
    backend = backends.get(account.backend)
    try:
        message, copy = composer.compose(row, variables, backend_is_real=backend is None or backend.real)
    except RenderError as error:
        return _failure(row, Reason.RENDER_ERROR, str(error))
    except (NoContent, NotAllowListed) as stop:
        skipped = Reason.NO_CONTENT if isinstance(stop, NoContent) else Reason.NOT_ALLOW_LISTED
        return Verdict(
            row=row["id"],
            state=State.SKIPPED,
            kind=DeliveryEvent.Kind.SKIPPED,
            reason=skipped,
            code=skipped,
            tries=row["tries"],
        )
    except Exception as error:
        # Whatever else one row's data breaks is that row's failure, and not its batch's.
        logger.exception("Message %s-%s cannot be composed", row["dispatch_id"], row["id"])
        return _failure(row, Reason.RENDER_ERROR, type(error).__name__)
    return Draft(row=row, message=message, copy=copy, account=account)


def _open_and_send(lease: Lease, plans: list[Plan], *, transport: Transport, done: Done) -> None:
    moving = [plan for plan in plans if plan.last > plan.batch.cursor]
    if not moving:
        return
    opened = [
        BatchWrite(
            batch=plan.batch,
            cursor=plan.batch.cursor if plan.drafts else plan.last,
            open_to=plan.last,
            verdicts=plan.settled,
        )
        for plan in moving
    ]
    ours = write_window(opened, worker=lease.owner, seconds=lease.seconds)
    done.lost += [plan.batch for plan in moving if plan.batch.id not in ours]
    kept = [plan for plan in moving if plan.batch.id in ours]
    done.rows += sum(len(plan.settled) for plan in kept)
    sending = [plan for plan in kept if plan.drafts]
    if not sending:
        return
    results = _hand_over(lease, [draft for plan in sending for draft in plan.drafts], transport=transport)
    chance = random.random()
    settled = [
        BatchWrite(
            batch=plan.batch,
            cursor=plan.last,
            open_to=plan.last,
            verdicts=[
                judge_result(
                    draft.row,
                    results[draft.message.reference],
                    account_id=draft.account.id,
                    message_class=draft.row["message_class"],
                    copy=draft.copy,
                    chance=chance,
                )
                for draft in plan.drafts
            ],
        )
        for plan in sending
    ]
    ours = write_window(settled, worker=lease.owner, seconds=lease.seconds)
    for write in settled:
        if write.batch.id not in ours:
            # Somebody else holds the batch now and has settled these rows as unknown or sent them again.
            logger.warning("Batch %s was taken away before its window was settled", write.batch.id)
            done.lost.append(write.batch)
            continue
        done.rows += len(write.verdicts)
        _tell(write)


def _hand_over(lease: Lease, drafts: list[Draft], *, transport: Transport) -> dict[str, Result]:
    """Send the drafts through their accounts at once; return the results by reference."""
    groups: dict[int, list[Draft]] = defaultdict(list)
    for draft in drafts:
        groups[draft.account.id].append(draft)
    results: dict[str, Result] = {}
    futures = {
        number: transport.send(group[0].account, [draft.message for draft in group], may_send=lease.may_send)
        for number, group in groups.items()
    }
    for number, future in futures.items():
        while True:
            try:
                answers = future.result(timeout=lease.seconds / 4)
                break
            except concurrent.futures.TimeoutError:
                lease.extend()
        for draft, answer in zip(groups[number], answers, strict=True):
            results[draft.message.reference] = answer
        troubles = [
            one.kind == "transient" and one.account_trouble for one in answers if one is not LEASE_LOST
        ]
        account_gates.note_results(number, troubles)
    return results


def _tell(write: BatchWrite) -> None:
    by_state: dict[int, list[int]] = defaultdict(list)
    for verdict in write.verdicts:
        if verdict.state != State.PLANNED:
            by_state[int(verdict.state)].append(verdict.row)
    for state, ids in by_state.items():
        deliveries_settled.send_robust(sender=None, dispatch_id=write.batch.dispatch_id, ids=ids, state=state)
