"""Verdicts on rows that are not handed over."""

from datetime import datetime

from notifyhub.messaging.engine.asks import facts, stamp
from notifyhub.messaging.engine.compose import Row
from notifyhub.messaging.engine.quiet import QUIET
from notifyhub.messaging.engine.write import Verdict
from notifyhub.messaging.models import Delivery, DeliveryEvent


def skipped(row: Row, reason: str, detail: str = "") -> Verdict:
    """Return the verdict that a gate stops the row."""
    return Verdict(
        row=row["id"],
        state=Delivery.State.SKIPPED,
        kind=DeliveryEvent.Kind.SKIPPED,
        reason=reason,
        code=reason,
        detail=detail,
        tries=row["tries"],
    )


def failure(row: Row, reason: str, detail: str = "") -> Verdict:
    """Return the verdict that the row can never be sent."""
    return Verdict(
        row=row["id"],
        state=Delivery.State.FAILED,
        kind=DeliveryEvent.Kind.FAILED,
        reason=reason,
        code=reason,
        detail=detail,
        tries=row["tries"],
    )


def put_off(row: Row, until: datetime) -> Verdict:
    """Return the verdict that the row waits for the customer's day, or for its own end if that is sooner."""
    if row["expires_at"] is not None:
        until = min(until, row["expires_at"])
    return Verdict(
        row=row["id"],
        state=Delivery.State.PLANNED,
        kind=DeliveryEvent.Kind.DELAYED,
        # A mark of doubt stays.
        reason=row["mark"],
        code=QUIET,
        detail=facts(until=stamp(until), zone=row["time_zone"] or "-"),
        tries=row["tries"],
        delay=max((until - row["looked_at"]).total_seconds(), 0.0),
    )
