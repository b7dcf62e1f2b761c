"""How fast messages can leave: what the accounts of a channel allow together, and how long it takes then."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from notifyhub.messaging.engine.accounts import SANDBOX

# Equals share the work; the ones behind them are for failures. An account is dry while its bucket, emptied in
# these last seconds, holds less than one message.
_PACES = """
SELECT a.channel, a.name, a.priority, a.rate_per_second, a.backend = %(sandbox)s,
       coalesce(g.circuit, 'closed') = 'closed' AND NOT EXISTS (
           SELECT 1 FROM messaging_halt t
           WHERE t.lifted_at IS NULL AND t.scope = 'account' AND t.value = a.id::text) AS usable,
       coalesce(g.tokens < 1 AND g.refilled_at > statement_timestamp() - interval '5 seconds', FALSE) AS dry,
       a.id, g.retry_at
FROM messaging_provideraccount a LEFT JOIN messaging_accountgate g ON g.account_id = a.id
WHERE a.active AND a.channel = ANY(%(channels)s::text[]) ORDER BY a.channel, a.priority, a.id
"""


@dataclass(frozen=True, kw_only=True)
class ChannelPace:
    """The accounts that a channel goes through now, how many messages a second they allow together, and
    whether all of them have just given all they may, or none takes anything (`shut`): then they are those it
    would go through, the first of them tried again at `retry_at`."""

    channel: str
    names: tuple[str, ...]
    rate: int
    dry: bool = False
    shut: bool = False
    first_id: int = 0
    retry_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Lasting:
    """An estimate: from when until when something goes out, at which rate, and what sets that rate."""

    start: datetime
    end: datetime
    rate: float
    cause: str

    @property
    def seconds(self) -> float:
        """Return how long it takes from the first to the last."""
        return (self.end - self.start).total_seconds()


def channel_paces(channels: Collection[str]) -> dict[str, ChannelPace]:
    """Return the pace of each of these channels that has an account; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_PACES, {"channels": list(channels), "sandbox": SANDBOX})
        rows = cursor.fetchall()
    paces = {}
    for channel in dict.fromkeys(row[0] for row in rows):
        mine = [row for row in rows if row[0] == channel]
        serving = [row for row in mine if not row[4]] or mine
        usable = [row for row in serving if row[5]] or serving
        equals = [row for row in usable if row[2] == usable[0][2]]
        paces[channel] = ChannelPace(
            channel=channel,
            names=tuple(row[1] for row in equals),
            rate=sum(row[3] for row in equals),
            dry=all(row[6] for row in equals),
            shut=not any(row[5] for row in serving),
            first_id=equals[0][7],
            retry_at=equals[0][8],
        )
    return paces


def accounts_words(names: Iterable[str]) -> str:
    """Return the accounts as part of a sentence."""
    listed = list(names)
    if len(listed) == 1:
        return _("the account %s") % listed[0]
    return _("the accounts %s together") % ", ".join(listed)


def how_long(
    *,
    slots: Collection[tuple[str, datetime, int]],
    start: datetime,
    paces: Mapping[str, ChannelPace],
    own_rate: int | None = None,
    measured: float | None = None,
) -> Lasting | None:
    """Return how long the messages of these (channel, moment, people) take from `start` on; None for none.

    Channels go side by side, each at what its accounts allow; the campaign's own rate and what was measured
    hold for all together.
    """
    if not slots:
        return None
    limits: list[tuple[float, str, Any]] = []
    if own_rate:
        limits.append((float(own_rate), _("its own rate"), None))
    if measured:
        limits.append((measured, _("the fastest minute of the last 30 days"), None))
    limits += [
        (float(pace.rate), accounts_words(pace.names), channel)
        for channel, pace in paces.items()
        if any(slot[0] == channel for slot in slots)
    ]
    if not limits:
        return None
    ends = [(_end(slots, start, rate, channel), rate, cause) for rate, cause, channel in limits]
    end, rate, cause = max(ends, key=lambda one: (one[0], -one[1]))
    first = max(start, min(at for _channel, at, _people in slots))
    return Lasting(start=first, end=end, rate=rate, cause=cause)


def _end(
    slots: Iterable[tuple[str, datetime, int]], start: datetime, rate: float, channel: str | None
) -> datetime:
    """Return when the last of them has left, one after the other in the order of their moments."""
    moment = start
    for _channel, at, people in sorted(slots, key=lambda slot: slot[1]):
        if channel in (None, _channel):
            moment = max(moment, at) + timedelta(seconds=people / rate)
    return moment
