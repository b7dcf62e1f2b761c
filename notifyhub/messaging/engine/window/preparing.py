"""Judging and rendering the rows of a window, and taking what the accounts' buckets grant for them."""

import logging
from collections import defaultdict
from datetime import datetime
from typing import Any

from notifyhub.messaging.channels.registry import backends
from notifyhub.messaging.engine import accounts as account_gates
from notifyhub.messaging.engine.accounts import Account, Accounts, Choice
from notifyhub.messaging.engine.compose import Composer, NoContent, NotAllowListed, Row
from notifyhub.messaging.engine.judge import IN_DOUBT, honest
from notifyhub.messaging.engine.limits import OFFERS, Limits, Policies, awake
from notifyhub.messaging.engine.quiet import end_of, release, zone_of
from notifyhub.messaging.engine.window.parts import Draft, Live, Plan
from notifyhub.messaging.engine.window.verdicts import failure, put_off, skipped
from notifyhub.messaging.engine.write import Verdict
from notifyhub.messaging.models import Delivery
from notifyhub.messaging.rendering import RenderError

logger = logging.getLogger(__name__)
Reason = Delivery.Reason


def prepare(
    live: Live, *, accounts: Accounts, composer: Composer, policies: Policies, take: int
) -> list[Plan]:
    """Judge and render the rows, and take what the buckets grant for those that are to be sent."""
    gate = Gate(policies)
    judged = [(batch, [(row, *gate.judge(row)) for row in rows]) for batch, rows in live]
    sendable = [row for _, rows in judged for row, _, verdict in rows if verdict is None]
    variables = composer.variables(sendable)
    chooser = _Chooser(accounts, policies)
    plans: list[Plan] = []
    wanted: dict[int, int] = defaultdict(int)
    probes: set[int] = set()
    for batch, rows in judged:
        last = rows[-1][0]["id"] if len(rows) == take else batch.reach(take)
        plan = Plan(batch=batch, last=last, origin_kind=rows[0][0]["origin_kind"] if rows else "")
        plans.append(plan)
        for row, limits, verdict in rows:
            if verdict is None:
                choice = chooser.choose(row)
                if isinstance(choice, Verdict):
                    verdict = choice
                elif choice.account is None or not plan.goes_through(choice.account):
                    # What is settled so far goes ahead; the rest waits, or takes the next window.
                    plan.last = row["id"] - 1 if plan.settled or plan.drafts else batch.cursor
                    plan.starved = choice.blocked
                    plan.pinned = row["mark"] in IN_DOUBT
                    break
                else:
                    outcome = _compose(row, variables[row["id"]], composer, choice.account, limits)
                    if isinstance(outcome, Draft):
                        plan.drafts.append(outcome)
                        wanted[choice.account.id] += 1
                        if choice.probe:
                            probes.add(choice.account.id)
                        continue
                    verdict = outcome
            plan.settled.append(honest(row, verdict))
    granted = {number: _grant(number, count, probe=number in probes) for number, count in wanted.items()}
    for plan in plans:
        _cut(plan, granted)
    return plans


class Gate:
    """What the policies say of the rows of one window; each class, channel and zone is looked up once."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._limits: dict[tuple[str, str, bool], Limits] = {}
        # By zone and limits; those live as long as this does.
        self._until: dict[tuple[str, int], datetime] = {}

    def limits(self, row: Row) -> Limits:
        """Return what holds for a row."""
        key = row["message_class"], row["channel"], row["urgent"]
        found = self._limits.get(key)
        if found is None:
            limits = self._policies.limits(row["message_class"], row["channel"])
            found = awake(limits, message_class=row["message_class"], urgent=row["urgent"])
            self._limits[key] = found
        return found

    def judge(self, row: Row) -> tuple[Limits, Verdict | None]:
        """Return what holds for a row, and what stops or delays it before it is looked at any closer."""
        limits = self.limits(row)
        if row["verdict"]:
            return limits, skipped(row, row["verdict"])
        if not limits.allowed:
            return limits, skipped(row, Reason.CHANNEL_NOT_ALLOWED)
        if limits.quiet is None:
            return limits, None
        # One statement read the whole window, at one moment.
        now, key = row["looked_at"], (row["time_zone"], id(limits))
        until = self._until.get(key)
        if until is None:
            until = self._until[key] = release(now, zone_of(row["time_zone"]), quiet=limits.quiet)
        return limits, put_off(row, until) if until > now else None


class _Chooser:
    """The accounts of one window's rows; what is the same for most of them is found once."""

    def __init__(self, accounts: Accounts, policies: Policies) -> None:
        self._accounts = accounts
        self._policies = policies
        self._known: dict[str, Choice] = {}

    def choose(self, row: Row) -> Choice | Verdict:
        """Return the account for a row, or that it waits for one, or that there is none."""
        if row["mark"]:
            return _choose(row, self._accounts, self._policies)
        known = self._known.get(row["channel"])
        if known is None:
            found = _choose(row, self._accounts, self._policies)
            # Where an account has hours, the customer's clock decides.
            if isinstance(found, Verdict) or (
                found.account is not None and self._policies.closing.get(found.account.id) is not None
            ):
                return found
            known = self._known[row["channel"]] = found
        return known


def _choose(row: Row, accounts: Accounts, policies: Policies) -> Choice | Verdict:
    """Return the account for a row, or that it waits for one, or that there is none.

    Offers go through an account that is open by the recipient's clock, or else wait for the first to open.
    """
    choice = accounts.choose_for(row)
    if choice.account is None:
        return choice if choice.blocked else failure(row, Reason.NO_ACCOUNT)
    closing = policies.closing.get(choice.account.id)
    if closing is None or row["message_class"] not in OFFERS:
        return choice
    now, zone = row["looked_at"], zone_of(row["time_zone"])
    opens = end_of(closing, now, zone)
    if opens <= now:
        return choice
    other = accounts.choose(row["channel"], avoid=choice.account.id)
    # What may have arrived through one account is never sent through another.
    free = row["mark"] not in IN_DOUBT
    if free and other.account is not None and other.account.id != choice.account.id:
        others = end_of(policies.closing.get(other.account.id), now, zone)
        if others <= now:
            return other
        opens = min(opens, others)
    return put_off(row, opens)


def _grant(account_id: int, wanted: int, *, probe: bool) -> int:
    if probe:
        wanted = 1 if account_gates.begin_probe(account_id) else 0
    return account_gates.take_tokens(account_id, wanted)


def _cut(plan: Plan, granted: dict[int, int]) -> None:
    """Keep the rows up to the first that the bucket has nothing left for."""
    account_id = plan.account_id
    if account_id is not None and granted[account_id] >= len(plan.drafts):
        # All of a plan goes through one account.
        granted[account_id] -= len(plan.drafts)
        return
    for place, draft in enumerate(plan.drafts):
        if granted[draft.account.id] > 0:
            granted[draft.account.id] -= 1
            continue
        plan.last = draft.row["id"] - 1
        plan.drafts = plan.drafts[:place]
        plan.settled = [one for one in plan.settled if one.row <= plan.last]
        plan.starved = True
        return


def _compose(
    row: Row, variables: dict[str, Any], composer: Composer, account: Account, limits: Limits
) -> Draft | Verdict:
    backend = backends.get(account.backend)
    try:
        message, copy = composer.compose(row, variables, backend=backend)
    except RenderError as error:
        return failure(row, Reason.RENDER_ERROR, str(error))
    except (NoContent, NotAllowListed) as stop:
        return skipped(row, Reason.NO_CONTENT if isinstance(stop, NoContent) else Reason.NOT_ALLOW_LISTED)
    except Exception as error:
        # Whatever else one row's data breaks is that row's failure, and not its batch's.
        logger.exception("Message %s-%s cannot be composed", row["dispatch_id"], row["id"])
        return failure(row, Reason.RENDER_ERROR, type(error).__name__)
    return Draft(row=row, message=message, copy=copy, account=account, limits=limits)
