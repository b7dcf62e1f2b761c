"""What a message must keep to, and whether it does: a table of cases without a database."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from notifyhub.messaging.engine.limits import Cap, Limits
from notifyhub.messaging.engine.respects import SUBJECT_DAYS, WEEK_DAYS, subject_respect
from notifyhub.messaging.models import Delivery

Reason = Delivery.Reason
_DUPLICATE = ("", "", Reason.DUPLICATE)


@dataclass(kw_only=True, slots=True)
class Ask:
    """One limit that a message must keep to; about a subject it is counted in the row of that `subject`."""

    respect: int
    days: int
    subject: int = 0
    channel: str = ""
    cap_day: int | None = None
    cap_days: int | None = None
    gap: timedelta | None = None
    reasons: tuple[str, str, str] = (Reason.CAP_DAY, Reason.CAP_WEEK, "")

    @property
    def closed(self) -> bool:
        """Say whether not even a first message may go."""
        return self.cap_day == 0 or self.cap_days == 0


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a message may not go, with what was found."""

    reason: str
    detail: str


@dataclass(slots=True)
class Count:
    """The counter of one customer in one respect: how often on which days, and when last."""

    days: dict[date, int]
    last: datetime | None = None

    def add(self, day: date, used: int, at: datetime) -> None:
        self.days[day] = self.days.get(day, 0) + used
        self.last = at if self.last is None else max(self.last, at)

    def within(self, day: date, days: int) -> int:
        return sum(used for on, used in self.days.items() if on > day - timedelta(days=days))


def asks_of(limits: Limits, *, subject_ref: str, text: int | None, goes_on: bool = False) -> tuple[Ask, ...]:
    """Return what a message must keep to. One that goes on where an earlier step of its chain did not
    reach the customer is the same contact: only the caps count it again."""
    others = other_asks(limits, subject_ref=subject_ref, goes_on=goes_on)
    if text is None or not limits.duplicate_hours or goes_on:
        return others
    return (text_ask(text, hours=limits.duplicate_hours), *others)


def text_ask(text: int, *, hours: int) -> Ask:
    """Return that the same text must not go out twice within so many hours."""
    gap, days = _gap_of(hours)
    return Ask(respect=text, days=days, gap=gap, reasons=_DUPLICATE)


def other_asks(limits: Limits, *, subject_ref: str, goes_on: bool = False) -> tuple[Ask, ...]:
    """Return what a message must keep to whatever it says."""
    caps = _of_caps(limits.caps)
    if not subject_ref or not limits.has_subject or goes_on:
        return caps
    respect = subject_respect(subject_ref)
    subject = Ask(
        respect=respect,
        subject=respect,
        days=SUBJECT_DAYS,
        cap_days=limits.subject_max,
        gap=timedelta(hours=limits.gap_hours) if limits.gap_hours is not None else None,
        reasons=("", Reason.SUBJECT_MAX, Reason.SUBJECT_GAP),
    )
    return (subject, *caps)


@lru_cache(maxsize=64)
def _gap_of(hours: int) -> tuple[timedelta, int]:
    gap = timedelta(hours=hours)
    # The day on which the last one may have been counted.
    return gap, gap.days + 2


@lru_cache(maxsize=64)
def _of_caps(caps: tuple[Cap, ...]) -> tuple[Ask, ...]:
    return tuple(
        Ask(respect=cap.respect, days=WEEK_DAYS, channel=cap.channel, cap_day=cap.day, cap_days=cap.week)
        for cap in caps
    )


def refuse(ask: Ask, count: Count, day: date, moment: datetime) -> Refusal | None:
    """Return why one more is too many, or None."""
    by_day, by_days, by_gap = ask.reasons
    if ask.gap is not None and count.last is not None and moment - count.last < ask.gap:
        hours = int(ask.gap.total_seconds() // 3600)
        return Refusal(reason=str(by_gap), detail=facts(last=stamp(count.last), hours=hours))
    where = {"channel": ask.channel} if ask.channel else {}
    if ask.cap_day is not None:
        used = count.days.get(day, 0)
        if used >= ask.cap_day:
            return Refusal(reason=str(by_day), detail=facts(used=used, limit=ask.cap_day, **where))
    if ask.cap_days is not None:
        used = count.within(day, ask.days)
        if used >= ask.cap_days:
            return Refusal(
                reason=str(by_days), detail=facts(used=used, limit=ask.cap_days, days=ask.days, **where)
            )
    return None


def facts(**values: Any) -> str:
    """Return what was found as "name=value …", as an event keeps it."""
    return " ".join(f"{name}={value}" for name, value in values.items())


def stamp(moment: datetime) -> str:
    """Return the moment as an event keeps it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
