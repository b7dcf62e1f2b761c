"""What the sending policies say, as the engine needs it: one statement for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import time

from django.db import connection

from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.engine.accounts.choosing import SANDBOX
from notifyhub.messaging.engine.quiet import Hours, hours_of
from notifyhub.messaging.engine.respects import cap_respect

# A vendor's opening hours are about what people did not ask for.
OFFERS = frozenset({MessageClass.PROMOTIONAL.value, MessageClass.INFORMATIONAL.value})

_READ = """
SELECT p.message_class, p.channels::text[], p.quiet_from, p.quiet_until, p.cap_day, p.cap_week,
       p.duplicate_hours, p.subject_gap_hours, p.subject_max,
       r.channel, r.quiet_from, r.quiet_until, r.cap_day, r.cap_week
FROM messaging_sendingpolicy p LEFT JOIN messaging_channelpolicy r ON r.policy_id = p.id
"""
_ACCOUNTS = """
SELECT id, channel, backend, open_from, open_until FROM messaging_provideraccount WHERE active
"""


@dataclass(frozen=True, kw_only=True)
class Cap:
    """At most so many a day and in seven days; on one channel, or over all if it is ""."""

    respect: int
    channel: str = ""
    day: int | None = None
    week: int | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What holds for one class on one channel. What is None or empty does not limit."""

    allowed: bool = True
    quiet: Hours | None = None
    caps: tuple[Cap, ...] = ()
    duplicate_hours: int = 0
    gap_hours: int | None = None
    subject_max: int | None = None
    # The closing hours of the channel's accounts, None for one that never closes.
    closed: tuple[Hours | None, ...] = ()

    @property
    def has_subject(self) -> bool:
        """Say whether it matters how often one subject was written about."""
        return self.gap_hours is not None or self.subject_max is not None

    @property
    def counts(self) -> bool:
        """Say whether anything is counted."""
        return bool(self.caps or self.duplicate_hours or self.has_subject)

    @property
    def has_clock(self) -> bool:
        """Say whether the time of day matters."""
        return self.quiet is not None or (bool(self.closed) and None not in self.closed)


@dataclass(frozen=True, kw_only=True)
class _Policy:
    channels: frozenset[str]
    quiet: tuple[time | None, time | None]
    cap: tuple[int | None, int | None]
    duplicate_hours: int
    gap_hours: int | None
    subject_max: int | None
    rules: dict[str, tuple[time | None, time | None, int | None, int | None]] = field(default_factory=dict)


class Policies:
    """The policies of all classes as they were when it was made."""

    def __init__(self) -> None:
        self._policies: dict[str, _Policy] = {}
        self._known: dict[tuple[str, str], Limits] = {}
        with connection.cursor() as cursor:
            # Both in one go: this runs for every window.
            cursor.execute(f"{_READ}; {_ACCOUNTS}")
            for row in cursor.fetchall():
                policy = self._policies.setdefault(
                    row[0],
                    _Policy(
                        channels=frozenset(row[1]),
                        quiet=(row[2], row[3]),
                        cap=(row[4], row[5]),
                        duplicate_hours=row[6],
                        gap_hours=row[7],
                        subject_max=row[8],
                    ),
                )
                if row[9] is not None:
                    policy.rules[row[9]] = row[10:]
            cursor.nextset()
            accounts = cursor.fetchall()
        self.closing = {row[0]: hours_of(row[4], row[3]) for row in accounts}
        real = {row[1] for row in accounts if row[2] != SANDBOX}
        self._by_channel: dict[str, list[Hours | None]] = {}
        for number, channel, backend, *_hours in accounts:
            if backend != SANDBOX or channel not in real:
                self._by_channel.setdefault(channel, []).append(self.closing[number])

    def limits(self, message_class: str, channel: str) -> Limits:
        """Return what holds for this class on this channel."""
        found = self._known.get((message_class, channel))
        if found is None:
            found = self._known[message_class, channel] = self._limits(message_class, channel)
        return found

    def _limits(self, message_class: str, channel: str) -> Limits:
        policy = self._policies.get(message_class)
        if policy is None:
            return Limits()
        allowed = channel in policy.channels
        if message_class == MessageClass.TRANSACTIONAL:
            # Somebody waits for it: no hours, no caps.
            return Limits(allowed=allowed, duplicate_hours=policy.duplicate_hours)
        quiet_from, quiet_until, cap_day, cap_week = policy.rules.get(channel, (None,) * 4)
        quiet = policy.quiet if quiet_from is None or quiet_until is None else (quiet_from, quiet_until)
        caps = [
            Cap(respect=cap_respect(message_class, where), channel=where, day=day, week=week)
            for where, day, week in ((channel, cap_day, cap_week), ("", *policy.cap))
            if day is not None or week is not None
        ]
        service = message_class == MessageClass.SERVICE
        return Limits(
            allowed=allowed,
            quiet=hours_of(*quiet),
            caps=tuple(caps),
            duplicate_hours=policy.duplicate_hours,
            gap_hours=policy.gap_hours if service else None,
            subject_max=policy.subject_max if service else None,
            closed=tuple(self._by_channel.get(channel, ())) if message_class in OFFERS else (),
        )


def awake(limits: Limits, *, message_class: str, urgent: bool) -> Limits:
    """Return the limits without their quiet hours if that is what `urgent` means for the class."""
    if urgent and message_class == MessageClass.SERVICE:
        return Limits(
            allowed=limits.allowed,
            caps=limits.caps,
            duplicate_hours=limits.duplicate_hours,
            gap_hours=limits.gap_hours,
            subject_max=limits.subject_max,
        )
    return limits


def distinct_days(limits: Sequence[Limits]) -> bool:
    """Say whether any of them looks at the customer's day or clock."""
    return any(one.has_clock or one.caps or one.has_subject for one in limits)
