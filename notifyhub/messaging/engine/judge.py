"""What one answer of a provider means for one row: a table of cases without a database."""

from typing import Any

from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.channels.base import LEASE_LOST, Result
from notifyhub.messaging.engine.retry import FAILOVER_SECONDS, delay_before
from notifyhub.messaging.engine.write import Verdict
from notifyhub.messaging.models import Delivery, DeliveryEvent

State = Delivery.State
Reason = Delivery.Reason
Kind = DeliveryEvent.Kind

# The plain number and word: a window looks at them many times.
_SENT = State.SENT.value, Kind.SENT.value
# Classes for which a message in doubt is sent once more, with the same Message-ID.
ASSURED = frozenset({MessageClass.TRANSACTIONAL.value, MessageClass.SERVICE.value})
# The mark on a planned row that its one re-send is under way.
IN_DOUBT = frozenset({Reason.AMBIGUOUS.value, Reason.WORKER_DIED.value})
# The mark on a planned row that its account, and nothing about the message, made the last try fail.
ACCOUNT_FAILED = Reason.ACCOUNT.value


def judge_result(
    row: dict[str, Any],
    result: Result,
    *,
    account_id: int,
    message_class: str,
    chance: float | None = None,
    successor: bool = False,
) -> Verdict:
    """Return the verdict on `row` (with its `id`, `tries` and `mark`) after `result`.

    `successor` says that another account of the channel can take what this one certainly did not.
    The rows of a window share one `chance`, the dice of the jitter, so that they wait in one side batch.
    """
    verdict = Verdict(
        row=row["id"],
        state=_SENT[0],
        kind=_SENT[1],
        tries=row["tries"] + 1,
        account_id=account_id,
        ref=result.provider_ref,
        code=result.code,
        detail=result.detail,
    )
    if result is LEASE_LOST:
        # Nothing was tried, so nothing is counted.
        verdict.state, verdict.kind, verdict.tries = State.PLANNED, Kind.RETRY, row["tries"]
        verdict.reason, verdict.delay = row["mark"], 0.0
    elif result.kind == "accepted":
        if result.delivered:
            verdict.state = State.DELIVERED
    elif result.kind == "permanent":
        verdict.state, verdict.kind, verdict.reason = State.FAILED, Kind.FAILED, Reason.REJECTED
    elif result.kind == "transient":
        _judge_transient(verdict, row, result, chance, successor)
    else:
        _judge_ambiguous(verdict, row, message_class, chance)
    return verdict


def _judge_transient(
    verdict: Verdict, row: dict[str, Any], result: Result, chance: float | None, successor: bool
) -> None:
    delay = delay_before(tries=verdict.tries, retry_after=result.retry_after, chance=chance)
    if delay is not None:
        # A mark of doubt stays: whatever comes of this try, there is no second re-send.
        doubtful = row["mark"] in IN_DOUBT
        verdict.state, verdict.kind, verdict.delay = State.PLANNED, Kind.RETRY, delay
        verdict.reason = row["mark"] if doubtful else ACCOUNT_FAILED if result.account_trouble else ""
        if successor and result.account_trouble and not doubtful:
            # The wish to wait is the account's and does not bind the next one.
            verdict.delay = FAILOVER_SECONDS
    elif row["mark"] in IN_DOUBT:
        # The first try may have arrived, so "failed" would not be honest.
        verdict.state, verdict.kind, verdict.reason = State.UNKNOWN, Kind.UNKNOWN, row["mark"]
    else:
        verdict.state, verdict.kind, verdict.reason = State.FAILED, Kind.FAILED, Reason.TOO_MANY_TRIES


def _judge_ambiguous(verdict: Verdict, row: dict[str, Any], message_class: str, chance: float | None) -> None:
    if message_class in ASSURED and row["mark"] not in IN_DOUBT:
        verdict.state, verdict.kind, verdict.reason = State.PLANNED, Kind.RETRY, Reason.AMBIGUOUS
        verdict.delay = delay_before(tries=1, retry_after=None, chance=chance)
    else:
        verdict.state, verdict.kind, verdict.reason = State.UNKNOWN, Kind.UNKNOWN, Reason.AMBIGUOUS


def honest(row: dict[str, Any], verdict: Verdict) -> Verdict:
    """Return `verdict` as it may be written: a row whose first try may have arrived is never said to have
    been skipped or to have failed before it was sent."""
    ended = verdict.state not in (State.PLANNED, State.UNKNOWN)
    if ended and row["mark"] in IN_DOUBT:
        verdict.state, verdict.kind, verdict.reason = State.UNKNOWN, Kind.UNKNOWN, row["mark"]
    return verdict
