"""Replies as pages show them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifyhub.core.registry import origins
from notifyhub.customers.services.merging import person_ids
from notifyhub.messaging.models import InboundMessage


@dataclass(frozen=True, kw_only=True)
class ReplyLine:
    """One reply; `went_to` and `url` name what an app above made of it, as far as this viewer may know."""

    reply: InboundMessage
    went_to: str = ""
    url: str = ""


def replies_of(
    *, customer_id: int, viewer: Any, limit: int, before: datetime | None = None
) -> list[ReplyLine]:
    """Return a customer's replies, newest first, those older than `before` if given."""
    rows = InboundMessage.objects.filter(customer_id__in=person_ids(customer_id=customer_id))
    if before is not None:
        rows = rows.filter(at__lt=before)
    return read_lines(list(rows.order_by("-at", "-id")[:limit]), viewer)


def replies_to(*, dispatch_id: int, delivery_id: int, viewer: Any, limit: int = 50) -> list[ReplyLine]:
    """Return what was answered to one message, oldest first."""
    rows = InboundMessage.objects.filter(dispatch_id=dispatch_id, delivery_id=delivery_id)
    return read_lines(list(rows.order_by("at", "id")[:limit]), viewer)


def replies_by_message(
    keys: Iterable[tuple[int, int]], *, limit: int = 200
) -> dict[str, list[InboundMessage]]:
    """Return {message: what was answered to it, newest first} for these (dispatch, message) pairs; the latest
    `limit` in all."""
    wanted = set(keys)
    rows = InboundMessage.objects.filter(
        dispatch_id__in={pair[0] for pair in wanted}, delivery_id__in={pair[1] for pair in wanted}
    )
    found: dict[str, list[InboundMessage]] = {}
    for row in rows.order_by("-at", "-id")[:limit]:
        if (row.dispatch_id, row.delivery_id) in wanted:
            found.setdefault(row.answers, []).append(row)
    return found


def read_lines(rows: Sequence[InboundMessage], viewer: Any) -> list[ReplyLine]:
    """Return the lines of these rows; one look-up per kind of what took them."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for kind in {row.taken_kind for row in rows if row.taken_kind}:
        origin = origins.get(kind)
        if origin is not None and (not origin.permission or viewer.has_perm(origin.permission)):
            found[kind] = origin.resolve({row.taken_id for row in rows if row.taken_kind == kind})
    return [
        ReplyLine(reply=row, went_to=title, url=url)
        for row in rows
        for title, url in [found.get(row.taken_kind, {}).get(row.taken_id, ("", ""))]
    ]
