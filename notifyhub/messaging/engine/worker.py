"""Serving leases, window by window, until nothing is due or time is up."""

import logging
import os
import secrets
import time

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, reset_queries

from notifyhub.messaging.engine.accounts import Accounts
from notifyhub.messaging.engine.accounts.circuit import OPEN_SECONDS
from notifyhub.messaging.engine.careful import is_suspect
from notifyhub.messaging.engine.compose import Composer
from notifyhub.messaging.engine.lease import Lease, LeasedBatch, is_due, take_lease
from notifyhub.messaging.engine.limits import Policies
from notifyhub.messaging.engine.selfpause import pause_failing
from notifyhub.messaging.engine.statements import plan_anew
from notifyhub.messaging.engine.stopping import is_stopping
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.window import WINDOW_ROWS, run_window
from notifyhub.messaging.models import Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.staff.nodes import node_name

logger = logging.getLogger(__name__)

# Nothing can be leased though something is due: an empty bucket, a paced dispatch, another worker's lock.
PAUSE_SECONDS = 0.05
# How long a worker may not know that an account was halted or cut off.
ACCOUNTS_SECONDS = 0.5
# How long it may not know that a sender or the rate of a dispatch was changed.
COMPOSER_SECONDS = 0.5
# How often it asks, once its turn is over, whether somebody waits.
LOOK_SECONDS = 0.5


class Worker:
    """Drains one class of work through one transport; `name` goes into leases and events."""

    def __init__(
        self, transport: Transport, *, lease_seconds: float | None = None, window: int = WINDOW_ROWS
    ) -> None:
        self.transport = transport
        self.lease_seconds = float(settings.LEASE_SECONDS if lease_seconds is None else lease_seconds)
        self.window = window
        # The dispatches of a window or more that this worker has seen.
        self._met: set[int] = set()
        self._composer: Composer | None = None
        self._composed = 0.0
        self.name = f"{node_name()[:90]}:{os.getpid()}:{secrets.token_hex(3)}"

    def drain(self, *, priority: int, seconds: float, turn: float | None = None) -> int:
        """Work off what is due of that class for about `seconds`, at least one window; return how many rows
        ended.

        After its `turn` it makes room sooner, while only time helps or dispatches wait to be planned.

        Ends early when nothing is due, when only shut circuits keep the rest back, or when a stop is asked
        for; what is leased and not done then goes back, and no row is left in doubt.
        """
        rows = 0
        span = _Span(seconds, turn)
        while not is_stopping():
            accounts = Accounts()
            lease = take_lease(
                owner=self.name,
                priority=priority,
                seconds=self.lease_seconds,
                window=self.window,
                blocked=accounts.blocked_channels(),
            )
            if lease is not None:
                try:
                    rows += self._serve(lease, accounts=accounts, span=span)
                except (OperationalError, InterfaceError) as error:
                    # Over a new connection; if there is none, the lease runs out by itself.
                    logger.warning("The database was lost (%s); the lease goes back", type(error).__name__)
                    connection.close()
                    lease.give_back()
            elif is_due(priority=priority, blocked=accounts.shut_channels(), owner=self.name):
                if span.is_turn_over():
                    break
                time.sleep(PAUSE_SECONDS)
            else:
                break
            reset_queries()
            if span.is_over():
                break
        return rows

    def has_work(self, *, priority: int) -> bool:
        """Say whether something of that class is due that more than waiting can be done about."""
        return is_due(priority=priority, blocked=Accounts().shut_channels(), owner=self.name)

    def _serve(self, lease: Lease, *, accounts: Accounts, span: "_Span") -> int:
        self._meet(lease.batches)
        composer = self._composer_for(lease.batches)
        suspects = [batch for batch in lease.batches if is_suspect(batch)]
        plain = [batch for batch in lease.batches if not is_suspect(batch)]
        rows = self._work(lease, plain, accounts, composer, span, careful=False)
        for batch in suspects:
            rows += self._work(lease, [batch], accounts, composer, span, careful=True)
        lease.give_back()
        return rows

    def _composer_for(self, batches: list[LeasedBatch]) -> Composer:
        """Return what composes these.

        Leases of one campaign follow each other within a tenth of a second, and what they have in common
        takes as long to read as ten mails to send. But for the policies: by them messages are put off for
        hours.
        """
        known, now = self._composer, time.monotonic()
        if known is not None and now < self._composed + COMPOSER_SECONDS and known.fits(batches):
            known.policies = Policies()
            return known
        self._composer, self._composed = Composer(one.dispatch_id for one in batches), now
        return self._composer

    def _meet(self, batches: list[LeasedBatch]) -> None:
        """Plan the statements anew where the rows of these batches may be younger than the plans."""
        large = {one.dispatch_id for one in batches if one.hi - one.lo + 1 >= self.window}
        if large - self._met:
            self._met |= large
            plan_anew()

    def _work(
        self,
        lease: Lease,
        batches: list[LeasedBatch],
        accounts: Accounts,
        composer: Composer,
        span: "_Span",
        *,
        careful: bool,
    ) -> int:
        rows = 0
        seen = time.monotonic()
        while batches and not is_stopping() and lease.may_send():
            take = 1 if careful else max(1, self.window // len(batches))
            rates = [composer.dispatch(one.dispatch_id).rate_per_second for one in batches]
            paced = [rate for rate in rates if rate is not None]
            if paced:
                take = max(1, min(take, min(paced)))
            done = run_window(
                lease,
                batches,
                transport=self.transport,
                accounts=accounts,
                composer=composer,
                take=take,
                careful=careful,
            )
            rows += done.rows
            if done.unfilled:
                pause_failing(done.unfilled)
            # Nobody else may send these: looking again at once would find the same.
            lease.give_back(done.pinned, delay=OPEN_SECONDS)
            left = [*done.waiting, *done.lost]
            batches = [one for one in batches if not one.done and one not in left]
            if span.is_over():
                break
            if time.monotonic() > seen + ACCOUNTS_SECONDS:
                accounts, seen = Accounts(), time.monotonic()
            if paced:
                # Its next share is due when the dispatch is: the lease decides that for all workers.
                break
        return rows


class _Span:
    """How long a worker goes on."""

    def __init__(self, seconds: float, turn: float | None) -> None:
        now = time.monotonic()
        self._until = now + seconds
        self._turn = self._until if turn is None else now + turn
        self._look = self._turn

    def is_turn_over(self) -> bool:
        """Say whether others may have the process, if they want it."""
        return time.monotonic() >= self._turn

    def is_over(self) -> bool:
        """Say whether to end now: for the time, or for dispatches that wait to be planned."""
        now = time.monotonic()
        if now >= self._until:
            return True
        if now < self._look:
            return False
        self._look = now + LOOK_SECONDS
        if Dispatch.objects.filter(state=Dispatch.State.PLANNING).exists():
            self._until = now
        return now >= self._until


def drain_realtime(worker: Worker, *, seconds: float) -> int:
    """Drain realtime work; return how many rows ended."""
    return worker.drain(priority=Priority.REALTIME, seconds=seconds)


def drain_bulk(worker: Worker, *, seconds: float, turn: float | None = None) -> int:
    """Drain bulk work; return how many rows ended."""
    return worker.drain(priority=Priority.BULK, seconds=seconds, turn=turn)
