"""One customer's life with us, newest first, by key and never by page number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import TimelineEntry, TimelineSource, customer_timeline
from notifyhub.customers.choices import SOURCES as WAYS
from notifyhub.customers.models import ConsentRecord, Decision, Event, Hold, Order
from notifyhub.customers.services.events.showing import masks_of, shown_properties
from notifyhub.customers.words import event_words

PAGE = 25
# So many facts of an event stand on its line.
SHOWN_FACTS = 6
# Names to filter by are those of so many events, the latest ones.
LOOKED = 500
EVENT_ICONS = {
    "page_viewed": "visibility",
    "screen_viewed": "visibility",
    "product_viewed": "visibility",
    "identified": "badge",
    "order_paid": "payments",
    "booking_paid": "payments",
    "bill_paid": "payments",
    "cart_changed": "shopping_cart",
    "checkout_started": "shopping_cart_checkout",
}
# How often a source of mixed kinds is asked again for one tab.
ROUNDS = 4


@dataclass(frozen=True, kw_only=True)
class TimelinePage:
    """Some entries, and the moment before which the next ones lie (None at the end)."""

    entries: list[TimelineEntry]
    before: datetime | None = None


def timeline_page(
    *,
    customer_id: int,
    request: Any,
    kind: str = "",
    event: str = "",
    before: datetime | None = None,
    limit: int = PAGE,
) -> TimelinePage:
    """Return about `limit` entries older than `before` from all registered sources, of one kind if asked.

    `event` asks for the events of that name alone.

    A page never ends between entries of the same moment, so that none is lost between two pages.
    """
    entries: list[TimelineEntry] = []
    sources = [partial(events, event=event)] if event else list(customer_timeline)
    for source in sources:
        entries += _ask(source, customer_id, before, limit + 1, request, kind)
    entries.sort(key=lambda entry: entry.at, reverse=True)
    if len(entries) <= limit:
        return TimelinePage(entries=entries)
    edge = entries[limit].at
    page = [entry for entry in entries if entry.at > edge] or [e for e in entries if e.at == edge]
    return TimelinePage(entries=page, before=page[-1].at)


def _ask(
    source: TimelineSource, customer_id: int, before: datetime | None, limit: int, request: Any, kind: str
) -> list[TimelineEntry]:
    kept: list[TimelineEntry] = []
    for _round in range(ROUNDS):
        found = source(customer_id=customer_id, before=before, limit=limit, request=request)
        kept += [entry for entry in found if not kind or entry.kind == kind]
        if len(found) < limit or len(kept) >= limit:
            break
        before = found[-1].at
    return kept


ORDER_ICONS = {"food": "restaurant", "hotel": "hotel", "travel": "flight", "other": "receipt_long"}
ORDER_TONES = {
    Order.State.COMPLETED: "green",
    Order.State.CANCELLED: "grey",
    Order.State.REFUND_ASKED: "orange",
    Order.State.DISPUTED: "red",
    Order.State.REFUNDED: "grey",
}


def orders(*, customer_id: int, before: datetime | None, limit: int, request: Any) -> Sequence[TimelineEntry]:
    """Return the customer's orders as entries, at the time they were placed."""
    rows = Order.objects.filter(customer_id=customer_id).annotate(at=Coalesce("placed_at", "told_at"))
    if before:
        rows = rows.filter(at__lt=before)
    return [
        TimelineEntry(
            at=row.at,
            kind="order",
            title=row.merchant or row.get_line_display(),
            detail=f"{row.number} · {row.currency.replace('CNY', '¥')} {row.amount_due:,.2f}",
            icon=ORDER_ICONS.get(row.line, "receipt_long"),
            chip=row.get_state_display(),
            tone=ORDER_TONES.get(Order.State(row.state), "blue"),
        )
        for row in rows.order_by("-at")[:limit]
    ]


def events(
    *, customer_id: int, before: datetime | None, limit: int, request: Any, event: str = ""
) -> Sequence[TimelineEntry]:
    """Return the customer's events as entries, those of one name if asked.

    Our own have other lines here, and stand among the events only when they are asked for by name.
    """
    rows = Event.objects.filter(customer_id=customer_id)
    rows = rows.filter(name=event) if event else rows.exclude(source=Event.OWN)
    if before:
        rows = rows.filter(occurred_at__lt=before)
    found = list(rows.order_by("-occurred_at")[:limit])
    masks = masks_of(row.name for row in found)
    may_open = bool(found) and request.user.has_perm("customers.view_order")
    return [
        TimelineEntry(
            at=row.occurred_at,
            kind="event",
            title=event_words(row.name),
            detail=_facts_of(row, masks),
            icon=EVENT_ICONS.get(row.name, "bolt"),
            chip=_("event"),
            tone="grey",
            url=_order_url(row.order_number) if may_open and row.order_number else "",
        )
        for row in found
    ]


def event_names(*, customer_id: int) -> list[tuple[str, Any]]:
    """Return (name, words) of the events this customer has had lately, by their words."""
    latest = Event.objects.filter(customer_id=customer_id).order_by("-occurred_at")
    found = set(latest.values_list("name", flat=True)[:LOOKED])
    return sorted(((name, event_words(name)) for name in found), key=lambda pair: str(pair[1]))


def _facts_of(row: Event, masks: Any) -> str:
    """Return what an event says in one line; what its title or its order says is left out."""
    shown = shown_properties(
        row.name, row.properties, masks, most=SHOWN_FACTS, without=("order_number", "order_id", "currency")
    )
    parts = [row.order_number, *(f"{label} {text}" for label, text in shown), row.source.partition(":")[0]]
    return " · ".join(part for part in parts if part)


def _order_url(number: str) -> str:
    return f"{reverse('admin:customers_order_changelist')}?q={quote(number)}"


def consents(
    *, customer_id: int, before: datetime | None, limit: int, request: Any
) -> Sequence[TimelineEntry]:
    """Return what the customer allowed and forbade as entries, at the time it was given."""
    rows = ConsentRecord.objects.filter(customer_id=customer_id).select_related("topic")
    if before:
        rows = rows.filter(given_at__lt=before)
    return [
        TimelineEntry(
            at=row.given_at,
            kind="consent",
            title=row.topic,
            detail=f"{row.get_channel_display()} · {WAYS.get(row.source, row.source)}",
            icon="check_circle" if row.decision == Decision.OPT_IN else "do_not_disturb_on",
            chip=row.get_decision_display(),
            tone="green" if row.decision == Decision.OPT_IN else "grey",
        )
        for row in rows.order_by("-given_at")[:limit]
    ]


def holds(*, customer_id: int, before: datetime | None, limit: int, request: Any) -> Sequence[TimelineEntry]:
    """Return the beginnings and ends of the customer's holds as entries."""
    # A customer has a handful of holds, each of which makes up to two entries.
    entries = []
    for row in Hold.objects.filter(customer_id=customer_id).order_by("-placed_at")[: limit * 4]:
        what = row.scope_value or row.get_scope_display()
        entries.append(_hold_entry(row.placed_at, _("Hold placed"), f"{what} · {row.reason}", "orange"))
        if row.released_at:
            entries.append(_hold_entry(row.released_at, _("Hold released"), what, "grey"))
    older = [entry for entry in entries if before is None or entry.at < before]
    return sorted(older, key=lambda entry: entry.at, reverse=True)[:limit]


def _hold_entry(at: datetime, title: Any, detail: str, tone: str) -> TimelineEntry:
    return TimelineEntry(
        at=at, kind="consent", title=title, detail=detail, icon="front_hand", chip=_("hold"), tone=tone
    )


SOURCES: dict[str, Callable[..., Sequence[TimelineEntry]]] = {
    "orders": orders,
    "events": events,
    "consents": consents,
    "holds": holds,
}


def register() -> None:
    """Hand this app's sources to the registry."""
    for name, source in SOURCES.items():
        customer_timeline.register(name, source)
