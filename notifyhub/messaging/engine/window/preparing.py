"""Judging and rendering the rows of a window, and taking what the accounts' buckets grant for them."""

import logging
from collections import defaultdict
from typing import Any

from notifyhub.messaging.channels.registry import backends
from notifyhub.messaging.engine import accounts as account_gates
from notifyhub.messaging.engine.accounts import Account, Accounts
from notifyhub.messaging.engine.compose import Composer, NoContent, NotAllowListed, Row
from notifyhub.messaging.engine.judge import IN_DOUBT, honest
from notifyhub.messaging.engine.window.parts import Draft, Live, Plan
from notifyhub.messaging.engine.write import Verdict
from notifyhub.messaging.models import Delivery, DeliveryEvent
from notifyhub.messaging.rendering import RenderError

logger = logging.getLogger(__name__)
State = Delivery.State
Reason = Delivery.Reason


def prepare(live: Live, *, accounts: Accounts, composer: Composer, take: int) -> list[Plan]:
    """Judge and render the rows, and take what the buckets grant for those that are to be sent."""
    variables = composer.variables([row for _, rows in live for row in rows if not row["verdict"]])
    plans: list[Plan] = []
    wanted: dict[int, int] = defaultdict(int)
    probes: set[int] = set()
    for batch, rows in live:
        plan = Plan(batch=batch, last=rows[-1]["id"] if len(rows) == take else batch.hi)
        for row in rows:
            choice = accounts.choose_for(row)
            verdict = _gate(row)
            if verdict is None and (choice.blocked or not plan.goes_through(choice.account)):
                # What is settled so far goes ahead; the rest waits, or takes the next window.
                plan.last = row["id"] - 1 if plan.settled or plan.drafts else batch.cursor
                plan.starved = choice.blocked
                plan.pinned = row["mark"] in IN_DOUBT
                break
            if choice.probe and choice.account:
                probes.add(choice.account.id)
            if verdict is None and choice.account is None:
                verdict = _failure(row, Reason.NO_ACCOUNT)
            if verdict is None and choice.account:
                outcome = _compose(row, variables[row["id"]], composer, choice.account)
                if isinstance(outcome, Draft):
                    plan.drafts.append(outcome)
                    wanted[choice.account.id] += 1
                    continue
                verdict = outcome
            if verdict is not None:
                plan.settled.append(honest(row, verdict))
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
        message, copy = composer.compose(row, variables, backend=backend)
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
