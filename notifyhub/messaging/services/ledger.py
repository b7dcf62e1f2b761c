"""Questions to the ledger: lists of messages, one message, one customer's messages.

The ledger may hold ten million rows and more, so every list starts from an index (the primary key, the
customer, the kind and time of events) and looks at a bounded number of rows before it stops and offers to
go on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from notifyhub.core.registry import origins
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch

PAGE = 50
# How many rows one page looks at while it searches for those that fit.
SCAN = 5_000
OF_ONE_CUSTOMER = 2_000


@dataclass(frozen=True, kw_only=True)
class MessageLine:
    """One message as lists show it; `origin_title` and `origin_url` say what asked for it."""

    reference: str
    at: datetime
    channel: str
    title: str
    state: int
    reason: str
    customer_id: int
    customer: str
    contact: str
    dispatch_id: int
    origin_title: str = ""
    origin_url: str = ""
    happened: str = ""

    @property
    def state_label(self) -> Any:
        return Delivery.State(self.state).label

    @property
    def reason_label(self) -> Any:
        return Delivery.Reason(self.reason).label if self.reason in Delivery.Reason.values else self.reason


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


def _numbers(cursor: str, count: int) -> list[int] | None:
    parts = cursor.split("-")
    if len(parts) != count or not all(part.isdigit() and len(part) < 19 for part in parts):
        return None
    return [int(part) for part in parts]


def list_messages(*, query: LedgerQuery, cursor: str = "", limit: int = PAGE) -> LedgerPage:
    """Return one page, newest first."""
    if query.kind and query.customer_id is None and query.dispatch_id is None:
        return _by_event(query, cursor, limit)
    return _by_row(query, cursor, limit)


def _by_row(query: LedgerQuery, cursor: str, limit: int) -> LedgerPage:
    rows = Delivery.objects.all()
    at = _numbers(cursor, 2)
    if query.customer_id is not None:
        rows = rows.filter(customer_id=query.customer_id).order_by("-id")
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
    at = _numbers(cursor, 2)
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


def read_lines(rows: Sequence[Delivery]) -> list[MessageLine]:
    """Return the lines of these rows: three look-ups for all of them, and one per kind of origin."""
    dispatches = Dispatch.objects.only("id", "title", "origin_kind", "origin_id").in_bulk(
        {row.dispatch_id for row in rows}
    )
    names = {
        customer.pk: str(customer)
        for customer in Customer.objects.filter(pk__in={row.customer_id for row in rows}).only(
            "id", "name", "external_id"
        )
    }
    contacts = dict(
        ContactPoint.objects.filter(pk__in={row.contact_id for row in rows if row.contact_id}).values_list(
            "pk", "masked"
        )
    )
    sources = resolve_origins(dispatches.values())
    lines = []
    for row in rows:
        dispatch = dispatches.get(row.dispatch_id)
        title, url = sources.get(row.dispatch_id, ("", ""))
        lines.append(
            MessageLine(
                reference=row.reference,
                at=row.settled_at or row.send_at,
                channel=row.channel,
                title=dispatch.title if dispatch else "",
                state=row.state,
                reason=row.reason,
                customer_id=row.customer_id,
                customer=names.get(row.customer_id, f"#{row.customer_id}"),
                contact=contacts.get(row.contact_id, "") if row.contact_id else "",
                dispatch_id=row.dispatch_id,
                origin_title=title,
                origin_url=url,
            )
        )
    return lines


def resolve_origins(dispatches: Iterable[Dispatch]) -> dict[int, tuple[str, str]]:
    """Return {dispatch id: (title, url)} of what asked for each; the kind's own word where it is unknown."""
    by_kind: dict[str, list[Dispatch]] = {}
    for dispatch in dispatches:
        by_kind.setdefault(dispatch.origin_kind, []).append(dispatch)
    found: dict[int, tuple[str, str]] = {}
    for kind, group in by_kind.items():
        origin = origins.get(kind)
        known = origin.resolve({one.origin_id for one in group if one.origin_id}) if origin else {}
        for one in group:
            label = str(origin.label) if origin else kind
            title, url = known.get(one.origin_id, ("", ""))
            found[one.pk] = (f"{label} · {title}" if title else label, url)
    return found


def messages_of(customer_id: int, limit: int, before: datetime | None = None) -> list[MessageLine]:
    """Return a customer's latest messages, older than `before` if given, newest first."""
    recent = Delivery.objects.filter(customer_id=customer_id).order_by("-id").values("id")[:OF_ONE_CUSTOMER]
    rows = Delivery.objects.filter(customer_id=customer_id, id__in=recent).annotate(
        at=Coalesce("settled_at", "send_at")
    )
    if before is not None:
        rows = rows.filter(at__lt=before)
    return read_lines(list(rows.order_by("-at", "-id")[:limit]))


def find_message(reference: str) -> tuple[Dispatch, Delivery] | None:
    """Return the message named "dispatch-id" with its dispatch, or None."""
    numbers = _numbers(reference, 2)
    if numbers is None:
        return None
    delivery = Delivery.objects.filter(dispatch_id=numbers[0], id=numbers[1]).first()
    if delivery is None:
        return None
    dispatch = Dispatch.objects.select_related(
        "topic", "owner", "owner_team", "template_version__template", "template_version__created_by"
    ).get(pk=numbers[0])
    return dispatch, delivery


def events_of(delivery: Delivery) -> list[DeliveryEvent]:
    """Return what happened to a message, oldest first."""
    return list(
        DeliveryEvent.objects.filter(dispatch_id=delivery.dispatch_id, delivery_id=delivery.pk).order_by(
            "at", "id"
        )
    )


def neighbours_with_same_reason(delivery: Delivery) -> int | None:
    """Return how many messages of the dispatch share this state and reason; None if it is a large one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE state = %s AND reason = %s), count(*) FROM (SELECT state, reason"
            " FROM messaging_delivery WHERE dispatch_id = %s LIMIT 50001) d",
            [delivery.state, delivery.reason, delivery.dispatch_id],
        )
        same, looked = cursor.fetchone()
    return None if looked > 50_000 else same
