"""Who would get it if it were sent now: the planner's own statement without its INSERT."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Topic
from notifyhub.messaging.engine.gates import build_gates
from notifyhub.messaging.engine.planner import forecast_counts
from notifyhub.messaging.models import TemplateVersion
from notifyhub.messaging.services.dispatches.checks import check_chain, check_class

TIMEOUT = "20s"


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """How many people of an audience would be sent to, by channel, and how many not, by reason.

    `delayed` of those sent to wait for the end of their quiet hours: the first until `delayed_from`, the last
    until `delayed_until`; `slots` are (channel, moment, people) of those sent to. `masks` tells over which
    steps those can be reached: {bits of the steps: people}.
    """

    total: int
    sendable: int
    by_channel: dict[str, int]
    by_reason: dict[str, int]
    delayed: int = 0
    delayed_from: datetime | None = None
    delayed_until: datetime | None = None
    slots: tuple[tuple[str, datetime, int], ...] = ()
    masks: dict[int, int] = field(default_factory=dict)


def forecast(
    *,
    message_class: str,
    chain: Sequence[dict[str, Any]],
    audience: dict[str, Any],
    topic: Topic | None,
    template_version: TemplateVersion | None,
    send_at: datetime | None = None,
    urgent: bool = False,
) -> Forecast:
    """Return what planning would decide at this moment; raises Refused if the rule is wrong or too slow.

    Nothing is estimated: every customer is counted. `send_at` is when it is due, now if none is given: quiet
    hours and the limits of a day are looked at for that time.
    """
    topic = topic or (template_version.template.topic if template_version else None)
    check_chain(list(chain))
    check_class(message_class=message_class, topic=topic)
    gates = build_gates(
        message_class=message_class,
        chain=chain,
        audience=audience,
        topic=topic,
        template_version_id=template_version.pk if template_version else None,
        urgent=urgent,
        send_at=send_at,
    )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"SET LOCAL statement_timeout = '{TIMEOUT}'; SET LOCAL jit = off; SET LOCAL work_mem = '64MB'"
            )
            rows = forecast_counts(gates)
            cursor.execute("SET LOCAL statement_timeout = 0")
    except OperationalError as error:
        raise Refused(_("Counting this audience takes too long. Narrow it down.")) from error
    by_channel: dict[str, int] = {}
    by_reason: dict[str, int] = {}
    waiting: dict[datetime, int] = {}
    slots: dict[tuple[str, datetime], int] = {}
    masks: dict[int, int] = {}
    for channel, reason, at, mask, people in rows:
        counts = by_reason if reason else by_channel
        counts[reason or channel] = counts.get(reason or channel, 0) + people
        if not reason:
            slots[channel, at] = slots.get((channel, at), 0) + people
            masks[mask] = masks.get(mask, 0) + people
        if not reason and gates.send_at is not None and at > gates.send_at:
            waiting[at] = waiting.get(at, 0) + people
    sendable = sum(by_channel.values())
    return Forecast(
        total=sendable + sum(by_reason.values()),
        sendable=sendable,
        by_channel=by_channel,
        by_reason=by_reason,
        delayed=sum(waiting.values()),
        delayed_from=min(waiting, default=None),
        delayed_until=max(waiting, default=None),
        slots=tuple((channel, at, people) for (channel, at), people in sorted(slots.items())),
        masks=masks,
    )
