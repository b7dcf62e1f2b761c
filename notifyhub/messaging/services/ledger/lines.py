"""Rows of the ledger as the lines that lists show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from notifyhub.core.registry import origins
from notifyhub.customers.models import ContactPoint, Customer
from notifyhub.messaging.models import Delivery, Dispatch


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
    origin_kind: str = ""
    origin_title: str = ""
    origin_url: str = ""
    happened: str = ""

    @property
    def state_label(self) -> Any:
        return Delivery.State(self.state).label

    @property
    def reason_label(self) -> Any:
        return Delivery.Reason(self.reason).label if self.reason in Delivery.Reason.values else self.reason


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
                title=dispatch.shown_title if dispatch else "",
                state=row.state,
                reason=row.reason,
                customer_id=row.customer_id,
                customer=names.get(row.customer_id, f"#{row.customer_id}"),
                contact=contacts.get(row.contact_id, "") if row.contact_id else "",
                dispatch_id=row.dispatch_id,
                origin_kind=dispatch.origin_kind if dispatch else "",
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


def links_for(viewer: Any, named: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the page of each (kind, id) that this viewer may open; at most one query a kind."""
    by_kind: dict[str, set[str]] = {}
    for kind, pk in named:
        if kind and pk:
            by_kind.setdefault(kind, set()).add(pk)
    found: dict[tuple[str, str], str] = {}
    for kind, ids in by_kind.items():
        origin = origins.get(kind)
        if origin is None or (origin.permission and not viewer.has_perm(origin.permission)):
            continue
        found |= {(kind, pk): url for pk, (_title, url) in origin.resolve(ids).items()}
    return found


def origin_for(viewer: Any, kind: str, found: tuple[str, str]) -> tuple[str, str]:
    """Return (title, url) as this viewer may read it: the kind alone where its page is closed to them."""
    origin = origins.get(kind)
    if origin is None or not origin.permission or viewer.has_perm(origin.permission):
        return found
    return str(origin.label), ""


def show_origins(viewer: Any, lines: Iterable[MessageLine]) -> list[MessageLine]:
    """Return the lines with their origins as this viewer may read them."""
    shown = []
    for line in lines:
        title, url = origin_for(viewer, line.origin_kind, (line.origin_title, line.origin_url))
        shown.append(replace(line, origin_title=title, origin_url=url))
    return shown
