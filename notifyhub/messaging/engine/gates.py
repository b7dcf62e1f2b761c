"""From a dispatch to what the planning statement needs to know."""

from collections.abc import Sequence
from typing import Any

from notifyhub.customers.models import Topic
from notifyhub.customers.services.audiences import compile_audience
from notifyhub.messaging.engine.plan_sql import Gates, embed
from notifyhub.messaging.models import Content, Delivery, Dispatch, SendingPolicy


def chain_channels(chain: Sequence[dict[str, Any]]) -> list[str]:
    """Return the channels of a fallback chain in their order."""
    return [str(step["channel"]) for step in chain]


def closed_channels(
    *, channels: Sequence[str], message_class: str, template_version_id: int | None
) -> tuple[tuple[str, str], ...]:
    """Return (channel, reason) for each channel; the reason is "" unless it is out for everybody."""
    policy = SendingPolicy.objects.filter(message_class=message_class).values_list("channels", flat=True)
    allowed = next(iter(policy), None)
    written = None
    if template_version_id is not None:
        rows = Content.objects.filter(template_version_id=template_version_id)
        written = set(rows.values_list("channel", flat=True))
    closed = []
    for channel in channels:
        reason = ""
        if allowed is not None and channel not in allowed:
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
) -> Gates:
    """Return the gates of one sending; raise Refused if the audience rule is wrong."""
    compiled = None
    if audience.get("kind") != "items":
        compiled = embed(*compile_audience(audience.get("rule")))  # type: ignore[arg-type]
    return Gates(
        message_class=message_class,
        channels=closed_channels(
            channels=chain_channels(chain),
            message_class=message_class,
            template_version_id=template_version_id,
        ),
        audience=compiled,
        topic_id=topic.pk if topic else None,
        topic_code=topic.code if topic else "",
        subject_ref=subject_ref,
        origin_kind=origin_kind,
        dispatch_id=dispatch_id,
    )


def gates_of(dispatch: Dispatch) -> Gates:
    """Return the gates of a dispatch."""
    return build_gates(
        message_class=dispatch.message_class,
        chain=dispatch.chain,
        audience=dispatch.audience,
        topic=dispatch.topic,
        template_version_id=dispatch.template_version_id,
        subject_ref=dispatch.subject_ref,
        origin_kind=dispatch.origin_kind,
        dispatch_id=dispatch.pk,
    )
