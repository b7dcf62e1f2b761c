"""Opening, handing over and settling: the span in which a crash leaves doubt."""

import concurrent.futures
import logging
import random
import time
from collections import defaultdict
from functools import partial

from django.db import InterfaceError, OperationalError, connection, transaction

from notifyhub.messaging.channels.base import Result
from notifyhub.messaging.engine import accounts as account_gates
from notifyhub.messaging.engine.judge import judge_result
from notifyhub.messaging.engine.late import note_late_answers
from notifyhub.messaging.engine.lease import Lease
from notifyhub.messaging.engine.persevere import persevere
from notifyhub.messaging.engine.reserve import give_back
from notifyhub.messaging.engine.stopping import is_stopping
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.window.counting import count_in, count_out, counts
from notifyhub.messaging.engine.window.parts import Done, Draft, Plan
from notifyhub.messaging.engine.write import BatchWrite, Verdict, write_window
from notifyhub.messaging.models import Delivery
from notifyhub.messaging.signals import deliveries_settled

logger = logging.getLogger(__name__)
State = Delivery.State
Reason = Delivery.Reason


def open_and_send(lease: Lease, plans: list[Plan], *, transport: Transport, done: Done) -> None:
    """Open what the plans say, hand it over and settle it; `done` learns how it went."""
    moving = [plan for plan in plans if plan.last > plan.batch.cursor]
    if not moving:
        return
    try:
        ours = open_window(lease, moving)
    except (OperationalError, InterfaceError):
        # Whether it was committed nobody can say, but that nothing was handed over is certain.
        connection.close()
        undo_opening(lease, moving)
        raise
    done.lost += [plan.batch for plan in moving if plan.batch.id not in ours]
    kept = [plan for plan in moving if plan.batch.id in ours]
    done.rows += sum(len(plan.settled) for plan in kept)
    done.unfilled |= {
        plan.batch.dispatch_id
        for plan in kept
        if any(verdict.reason == Reason.RENDER_ERROR for verdict in plan.settled)
    }
    for plan in kept:
        _tell(plan.batch.dispatch_id, plan.settled, origin_kind=plan.origin_kind)
    sending = [plan for plan in kept if plan.drafts]
    if not sending:
        return
    answers = _hand_over(lease, [draft for plan in sending for draft in plan.drafts], transport=transport)
    results = {name: result for group in answers.values() for name, result in group.items()}
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
                    chance=chance,
                    successor=draft.account.successor,
                )
                for draft in plan.drafts
            ],
        )
        for plan in sending
    ]
    drafts = {plan.batch.id: plan.drafts for plan in sending}
    origins = {plan.batch.id: plan.origin_kind for plan in sending}
    ours = persevere(partial(settle_window, lease, settled, drafts), until=lease.taken + lease.seconds)
    for account_id, group in answers.items():
        account_gates.note_results(account_id, list(group.values()))
    for write in settled:
        if write.batch.id not in ours:
            # Somebody else holds the batch now and has settled these rows as unknown or sent them again.
            logger.warning("Batch %s was taken away before its window was settled", write.batch.id)
            note_late_answers(write, worker=lease.owner)
            done.lost.append(write.batch)
            continue
        done.rows += len(write.verdicts)
        _tell(write.batch.dispatch_id, write.verdicts, origin_kind=origins[write.batch.id])


def open_window(lease: Lease, plans: list[Plan]) -> set[int]:
    """Open the windows and count whom they are for, in one; return the ids of the batches still ours."""
    counted = [plan for plan in plans if counts(plan)]
    if not counted:
        return _write(lease, [_opening(plan) for plan in plans])
    with transaction.atomic():
        count_in(counted)
        return _write(lease, [_opening(plan) for plan in plans])


@transaction.atomic
def undo_opening(lease: Lease, plans: list[Plan]) -> None:
    """Close again what was opened though nobody heard of it, and uncount whom it was for."""
    opened = lease.undo_opening([plan.batch for plan in plans])
    drafts = [draft for plan in plans if plan.batch.id in opened for draft in plan.drafts]
    give_back(taken for draft in drafts for taken in draft.taken)


def _opening(plan: Plan) -> BatchWrite:
    return BatchWrite(
        batch=plan.batch,
        cursor=plan.batch.cursor if plan.drafts else plan.last,
        open_to=plan.last,
        verdicts=plan.settled,
        account_id=plan.account_id,
        copies=[(draft.row["id"], draft.copy) for draft in plan.drafts],
    )


def settle_window(lease: Lease, writes: list[BatchWrite], drafts: dict[int, list[Draft]]) -> set[int]:
    """Write what became of the windows and uncount whom nothing reached; return whose batches were ours."""
    if not any(draft.limits.counts for group in drafts.values() for draft in group):
        return _write(lease, writes, lazy=True)
    with transaction.atomic():
        ours = _write(lease, writes, lazy=True)
        count_out(writes, drafts, ours)
        return ours


def _write(lease: Lease, writes: list[BatchWrite], *, lazy: bool = False) -> set[int]:
    asked = time.monotonic()
    ours = write_window(writes, worker=lease.owner, seconds=lease.seconds, lazy=lazy)
    if len(ours) == len(lease.batches):
        # The statement prolonged every lease that we hold.
        lease.taken = asked
    return ours


def _hand_over(lease: Lease, drafts: list[Draft], *, transport: Transport) -> dict[int, dict[str, Result]]:
    """Send the drafts through their accounts at once; return the results by account and reference."""

    def may_send() -> bool:
        # A worker that is told to stop waits for the messages on their way and not for the whole window.
        return lease.may_send() and not is_stopping()

    groups: dict[int, list[Draft]] = defaultdict(list)
    for draft in drafts:
        groups[draft.account.id].append(draft)
    results: dict[int, dict[str, Result]] = {}
    futures = {
        number: transport.send(group[0].account, [draft.message for draft in group], may_send=may_send)
        for number, group in groups.items()
    }
    for number, future in futures.items():
        while True:
            try:
                answers = future.result(timeout=lease.seconds / 4)
                break
            except concurrent.futures.TimeoutError:
                _extend(lease)
        references = [draft.message.reference for draft in groups[number]]
        results[number] = dict(zip(references, answers, strict=True))
    return results


def _extend(lease: Lease) -> None:
    try:
        lease.extend()
    except (OperationalError, InterfaceError) as error:
        # The messages are on their way; whether the lease held is for the fence to say when they settle.
        logger.warning("The lease could not be prolonged (%s)", type(error).__name__)
        connection.close()


def _tell(dispatch_id: int, verdicts: list[Verdict], *, origin_kind: str) -> None:
    by_state: dict[int, list[int]] = defaultdict(list)
    for verdict in verdicts:
        by_state[verdict.state].append(verdict.row)
    by_state.pop(State.PLANNED.value, None)
    for state, ids in by_state.items():
        deliveries_settled.send_robust(
            sender=None, dispatch_id=dispatch_id, origin_kind=origin_kind, ids=ids, state=int(state)
        )
