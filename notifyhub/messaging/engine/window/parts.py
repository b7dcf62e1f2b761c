"""What a window is made of while it is worked on."""

from dataclasses import dataclass, field

from notifyhub.messaging.channels.base import Message
from notifyhub.messaging.engine.accounts import Account
from notifyhub.messaging.engine.compose import Row
from notifyhub.messaging.engine.lease import LeasedBatch
from notifyhub.messaging.engine.limits import Limits
from notifyhub.messaging.engine.reserve import Taken
from notifyhub.messaging.engine.write import Verdict

Live = list[tuple[LeasedBatch, list[Row]]]


@dataclass(kw_only=True)
class Draft:
    """A row that is to be handed over."""

    row: Row
    message: Message
    copy: bytes
    account: Account
    limits: Limits
    # The counters it took; what certainly did not go out gives them back.
    taken: list[Taken] = field(default_factory=list)


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
