"""What pages tell: where a gathered message went, what a digest gathered, what waits for a customer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from notifyhub.customers.services.merging import person_ids
from notifyhub.messaging.engine.digest import ORIGIN
from notifyhub.messaging.models import Delivery, DigestItem, Dispatch
from notifyhub.messaging.services.ledger import origin_for, resolve_origins

State = DigestItem.State


@dataclass(frozen=True, kw_only=True)
class GatheredLine:
    """One gathered message: what asked for it and when, and whether it is still among the others."""

    item: DigestItem
    title: str
    origin: str
    origin_url: str
    left_out: Any = ""


@dataclass(kw_only=True)
class Bucket:
    """What waits for one customer and goes as one message."""

    closes_at: datetime
    template: str
    topic: str
    every: Any
    by_wish: bool
    lines: list[GatheredLine] = field(default_factory=list)

    @property
    def ids(self) -> str:
        return ",".join(str(line.item.pk) for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """Where one gathered message is; `digest` is the message that tells it, once there is one."""

    item: DigestItem
    digest: Delivery | None


def whereabouts(delivery: Delivery) -> Whereabouts | None:
    """Return where a gathered message is now; None for one that was never gathered."""
    if delivery.state != Delivery.State.GATHERED:
        return None
    item = DigestItem.objects.filter(dispatch_id=delivery.dispatch_id, item=delivery.dedup_key).first()
    if item is None:
        return None
    digest = None
    if item.digest_id is not None and item.digest_item is not None:
        rows = Delivery.objects.filter(dispatch_id=item.digest_id, dedup_key=item.digest_item)
        digest = rows.order_by("-step").first()
    return Whereabouts(item=item, digest=digest)


def gathered_by(dispatch: Dispatch, delivery: Delivery, viewer: Any) -> list[GatheredLine]:
    """Return what a digest's message gathered, in the order of its text; nothing for any other message."""
    if dispatch.origin_kind != ORIGIN:
        return []
    rows = DigestItem.objects.filter(digest_id=dispatch.pk, digest_item=delivery.dedup_key)
    # Of a digest that nothing was left of, each was done when it was about to go.
    stopped = delivery.state == Delivery.State.SKIPPED and delivery.reason == Delivery.Reason.STOPPED
    return _lines(rows, viewer, stopped=stopped)


def waiting_for(customer_id: int, viewer: Any) -> list[Bucket]:
    """Return what waits for a customer, the bucket that closes first first."""
    rows = DigestItem.objects.filter(
        customer_id__in=person_ids(customer_id=customer_id), state=State.WAITING
    ).select_related("template_version__template", "topic")
    buckets: dict[tuple[Any, ...], Bucket] = {}
    for line in _lines(rows.order_by("closes_at", "at", "id"), viewer):
        item = line.item
        template = item.template_version.template
        bucket = buckets.setdefault(
            (item.closes_at, template.pk, item.topic_id),
            Bucket(
                closes_at=item.closes_at,
                template=template.name,
                topic=str(item.topic),
                every=item.get_every_display(),
                by_wish=item.by_wish,
            ),
        )
        bucket.lines.append(line)
    return list(buckets.values())


def _lines(rows: Iterable[DigestItem], viewer: Any, *, stopped: bool = False) -> list[GatheredLine]:
    """Return the rows with what asked for them: two look-ups for all, and one per kind of origin."""
    items = list(rows)
    dispatches = Dispatch.objects.only("id", "title", "origin_kind", "origin_id").in_bulk(
        {one.dispatch_id for one in items}
    )
    sources = resolve_origins(dispatches.values())
    lines = []
    for item in items:
        dispatch = dispatches.get(item.dispatch_id)
        kind = dispatch.origin_kind if dispatch else ""
        title, url = origin_for(viewer, kind, sources.get(item.dispatch_id, ("", "")))
        left_out: Any = item.get_reason_display() if item.state == State.DROPPED else ""
        if stopped and not left_out:
            left_out = DigestItem.Reason.STOPPED.label
        lines.append(
            GatheredLine(
                item=item,
                title=dispatch.title if dispatch else "",
                origin=title,
                origin_url=url,
                left_out=left_out,
            )
        )
    return lines
