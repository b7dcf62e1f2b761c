"""From a dispatch to what the planning statement needs to know."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from notifyhub.customers.models import Topic
from notifyhub.customers.services.audiences import compile_audience, span_of
from notifyhub.messaging.engine.limits import Limits, Policies, awake
from notifyhub.messaging.engine.plan_sql import Gates, embed
from notifyhub.messaging.models import Content, Delivery, Dispatch


def chain_channels(chain: Sequence[dict[str, Any]]) -> list[str]:
    """Return the channels of a fallback chain in their order."""
    return [str(step["channel"]) for step in chain]


def closed_channels(
    *, limits: Mapping[str, Limits], template_version_id: int | None
) -> tuple[tuple[str, str], ...]:
    """Return (channel, reason) for each channel; the reason is "" unless it is out for everybody."""
    written = None
    if template_version_id is not None:
        rows = Content.objects.filter(template_version_id=template_version_id)
        written = set(rows.values_list("channel", flat=True))
    closed = []
    for channel, limit in limits.items():
        reason = ""
        if not limit.allowed:
            reason = Delivery.Reason.CHANNEL_NOT_ALLOWED.value
        elif written is not None and channel not in written:
            reason = Delivery.Reason.NO_CONTENT.value
        closed.append((channel, reason))
    return tuple(closed)


def build_gates(
    *,
    message_class: str,
    chain: Sequence[dict[str, Any]],
    audience: dict[str, Any],
    topic: Topic | None,
    template_version_id: int | None,
    subject_ref: str = "",
    origin_kind: str = "",
    dispatch_id: int | None = None,
    urgent: bool = False,
    send_at: datetime | None = None,
) -> Gates:
    """Return the gates of one sending, due now if no time is given; raise Refused if its rule is wrong."""
    compiled = None
    if audience.get("kind") != "items":
        compiled = embed(*compile_audience(audience.get("rule")))  # type: ignore[arg-type]
    policies = Policies()
    limits = {
        channel: awake(policies.limits(message_class, channel), message_class=message_class, urgent=urgent)
        for channel in chain_channels(chain)
    }
    return Gates(
        message_class=message_class,
        channels=closed_channels(limits=limits, template_version_id=template_version_id),
        limits=tuple(limits.values()),
        send_at=send_at or timezone.now(),
        audience=compiled,
        topic_id=topic.pk if topic else None,
        topic_code=topic.code if topic else "",
        subject_ref=subject_ref,
        origin_kind=origin_kind,
        dispatch_id=dispatch_id,
    )


def gates_of(dispatch: Dispatch, **instead: Any) -> Gates:
    """Return the gates of a dispatch; `instead` goes before what it says itself."""
    said: dict[str, Any] = {
        "message_class": dispatch.message_class,
        "chain": dispatch.chain,
        "audience": dispatch.audience,
        "topic": dispatch.topic,
        "template_version_id": dispatch.template_version_id,
        "subject_ref": dispatch.subject_ref,
        "origin_kind": dispatch.origin_kind,
        "dispatch_id": dispatch.pk,
        "urgent": dispatch.urgent,
        "send_at": dispatch.send_at,
        **instead,
    }
    gates = build_gates(**said)
    if gates.audience is None:
        return gates
    return replace(gates, span=span_of(said["audience"]["rule"]))


def gates_for_named(dispatch: Dispatch) -> Gates:
    """Return the gates of a dispatch as they stand now, for people whom the statement itself names.

    The rule named its people when the dispatch began.
    """
    gates = gates_of(dispatch, audience={"kind": "items"}, send_at=None)
    return gates if dispatch.audience.get("kind") == "items" else replace(gates, audience="TRUE")
