"""Lists of messages by key: by dispatch, by customer, or by what happened."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from notifyhub.core.numbers import read_number
from notifyhub.customers.services.merging import person_ids
from notifyhub.messaging.models import Delivery, DeliveryEvent
from notifyhub.messaging.services.ledger.lines import MessageLine, read_lines

PAGE = 50
# How many rows one page looks at while it searches for those that fit.
SCAN = 5_000


@dataclass(frozen=True, kw_only=True)
class LedgerPage:
    """Some lines, and the cursor at which the next page starts ("" at the end).

    `cut` says that the search stopped at its limit before the page was full.
    """

    lines: list[MessageLine]
    cursor: str = ""
    cut: bool = False


@dataclass(frozen=True, kw_only=True)
class LedgerQuery:
    """What to list. With `kind` it goes by what happened (on `day`, if given), else by the rows."""

    dispatch_id: int | None = None
    customer_id: int | None = None
    kind: str = ""
    day: date | None = None
    channel: str = ""
    state: int | None = None
    reason: str = ""


def read_numbers(cursor: str, count: int) -> list[int] | None:
    """Return the numbers of "12-34", or None if it is not made of `count` of them."""
    numbers = [number for part in cursor.split("-") if (number := read_number(part)) is not None]
    return numbers if len(numbers) == count == len(cursor.split("-")) else None


def list_messages(*, query: LedgerQuery, cursor: str = "", limit: int = PAGE) -> LedgerPage:
    """Return one page, newest first."""
    if query.kind and query.customer_id is None and query.dispatch_id is None:
        return _by_event(query, cursor, limit)
    return _by_row(query, cursor, limit)


def _by_row(query: LedgerQuery, cursor: str, limit: int) -> LedgerPage:
    rows = Delivery.objects.all()
    at = read_numbers(cursor, 2)
    if query.customer_id is not None:
        rows = rows.filter(customer_id__in=person_ids(customer_id=query.customer_id)).order_by("-id")
        if query.dispatch_id is not None:
            rows = rows.filter(dispatch_id=query.dispatch_id)
        if at:
            rows = rows.filter(id__lt=at[1])
    else:
        rows = rows.order_by("-dispatch_id", "-id")
        if query.dispatch_id is not None:
            rows = rows.filter(dispatch_id=query.dispatch_id)
            if at:
                rows = rows.filter(id__lt=at[1])
        elif at:
            rows = rows.extra(where=["(dispatch_id, id) < (%s, %s)"], params=at)
    narrowed = bool(query.channel or query.state is not None or query.reason or query.kind)
    if not narrowed:
        found = list(rows[: limit + 1])
        more = len(found) > limit
        found = found[:limit]
        return LedgerPage(lines=read_lines(found), cursor=_row_cursor(found[-1]) if more else "")
    return _narrowed(query, rows, limit)


def _row_cursor(row: Delivery) -> str:
    return f"{row.dispatch_id}-{row.pk}"


def _narrowed(query: LedgerQuery, rows: QuerySet[Delivery], limit: int) -> LedgerPage:
    """Filter within the next SCAN rows of the index; a rare state never costs more than that a page."""
    looked = list(rows.values_list("dispatch_id", "id")[SCAN - 1 : SCAN])
    window = rows
    if looked:
        window = rows.extra(where=["(dispatch_id, id) >= (%s, %s)"], params=list(looked[0]))
    if query.channel:
        window = window.filter(channel=query.channel)
    if query.state is not None:
        window = window.filter(state=query.state)
    if query.reason:
        window = window.filter(reason=query.reason)
    if query.kind:
        window = window.extra(
            where=[
                "EXISTS (SELECT 1 FROM messaging_deliveryevent e WHERE e.dispatch_id ="
                " messaging_delivery.dispatch_id AND e.delivery_id = messaging_delivery.id AND e.kind = %s)"
            ],
            params=[query.kind],
        )
    found = list(window[: limit + 1])
    if len(found) > limit:
        return LedgerPage(lines=read_lines(found[:limit]), cursor=_row_cursor(found[limit - 1]))
    cursor = f"{looked[0][0]}-{looked[0][1]}" if looked else ""
    return LedgerPage(lines=read_lines(found), cursor=cursor, cut=bool(looked))


def _by_event(query: LedgerQuery, cursor: str, limit: int) -> LedgerPage:
    events = DeliveryEvent.objects.filter(kind=query.kind).order_by("-at", "-id")
    if query.day is not None:
        start = timezone.make_aware(datetime.combine(query.day, time.min))
        events = events.filter(at__gte=start, at__lt=start + timedelta(days=1))
    at = read_numbers(cursor, 2)
    if at:
        moment = datetime.fromtimestamp(at[0] / 1_000_000, tz=timezone.get_current_timezone())
        events = events.extra(where=["(at, id) < (%s, %s)"], params=[moment, at[1]])
    found = list(events[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    by_key = {
        (row.dispatch_id, row.pk): row
        for row in Delivery.objects.filter(
            dispatch_id__in={one.dispatch_id for one in found}, id__in={one.delivery_id for one in found}
        )
    }
    pairs = [(by_key.get((one.dispatch_id, one.delivery_id)), one) for one in found]
    rows = [row for row, _event in pairs if row is not None and _fits(query, row)]
    last = found[-1] if found else None
    next_cursor = f"{round(last.at.timestamp() * 1_000_000)}-{last.pk}" if more and last else ""
    return LedgerPage(lines=read_lines(rows), cursor=next_cursor, cut=more and len(rows) < limit)


def _fits(query: LedgerQuery, row: Delivery) -> bool:
    return (
        (not query.channel or row.channel == query.channel)
        and (query.state is None or row.state == query.state)
        and (not query.reason or row.reason == query.reason)
    )
