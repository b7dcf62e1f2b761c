"""What a window is made of while it is worked on."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from notifyhub.messaging.channels.base import Message
from notifyhub.messaging.engine.accounts import Account
from notifyhub.messaging.engine.compose import Row
from notifyhub.messaging.engine.lease import LeasedBatch
from notifyhub.messaging.engine.limits import Limits
from notifyhub.messaging.engine.reserve import Taken
from notifyhub.messaging.engine.write import Verdict

Live = list[tuple[LeasedBatch, list[Row]]]


@dataclass(kw_only=True, slots=True)
class Draft:
    """A row that is to be handed over."""

    row: Row
    message: Message
    copy: bytes
    account: Account
    limits: Limits
    # The counters it took; what certainly did not go out gives them back.
    taken: Iterable[Taken] = ()


@dataclass(kw_only=True)
class Plan:
    """What is to become of the rows that one batch has in this window, up to `last`.

    `starved` says that the rest must wait for its account, `pinned` that no other account may take it.
    """

    batch: LeasedBatch
    last: int
    origin_kind: str = ""
    settled: list[Verdict] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    starved: bool = False
    pinned: bool = False

    @property
    def account_id(self) -> int | None:
        """Return what the window of this batch goes through, if it sends anything."""
        return self.drafts[0].account.id if self.drafts else None

    def goes_through(self, account: Account | None) -> bool:
        """Say whether a row for `account` may join: if the process dies, it must be known which account has
        the rows in doubt."""
        if account is None or not self.drafts:
            return True
        mine = self.drafts[0].account
        return mine is account or mine.id == account.id


@dataclass(kw_only=True)
class Done:
    """How a window went: rows brought to their end, batches that must wait (`pinned` ones longer), whether
    the lease is lost, and the dispatches with texts that could not be filled in."""

    rows: int = 0
    pinned: list[LeasedBatch] = field(default_factory=list)
    unfilled: set[int] = field(default_factory=set)
    waiting: list[LeasedBatch] = field(default_factory=list)
    lost: list[LeasedBatch] = field(default_factory=list)
