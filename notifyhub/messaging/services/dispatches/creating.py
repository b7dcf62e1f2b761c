"""Accepting a sending job: from here on it is kept."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Topic
from notifyhub.messaging.engine import bells
from notifyhub.messaging.engine.planner import PLAN_AHEAD, plan_dispatch
from notifyhub.messaging.models import Dispatch, DispatchItem, TemplateVersion
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches.checks import (
    check_audience,
    check_chain,
    check_class,
    check_content,
    check_end,
)
from notifyhub.staff.context import current_actor
from notifyhub.staff.models import Team, User
from notifyhub.staff.services import audit

# A realtime dispatch of a few items is planned as it is accepted: one doorbell less until it is sent.
PLANNED_AT_ONCE = 100
# What planning changes of a dispatch.
PLANNED_FIELDS = ("state", "pause_reason", "plan_cursor", "plan_until", "blocks", "started_at")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One recipient of a dispatch that names them; `item` is the dedup key within the dispatch."""

    item: int
    customer_id: int
    contact_id: int | None = None
    subject_ref: str = ""
    variables: dict[str, Any] = field(default_factory=dict)


@transaction.atomic
def create_dispatch(
    *,
    title: str,
    origin_kind: str,
    origin_id: str = "",
    trigger: str = "",
    message_class: str,
    chain: list[dict[str, Any]],
    audience: dict[str, Any],
    topic: Topic | None = None,
    template_version: TemplateVersion | None = None,
    text: dict[str, str] | None = None,
    priority: int = Priority.BULK,
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
    subject_ref: str = "",
    urgent: bool = False,
    rate_per_second: int | None = None,
    items: Sequence[Item] = (),
    fill: Callable[[int], int] | None = None,
    owner: User | None = None,
    owner_team: Team | None = None,
    author: str = "",
    approved_by: str = "",
) -> Dispatch:
    """Commit a sending job and wake whoever plans it; return it.

    `chain` is the channels by step, and how long each but the last waits for what: [{"channel": "push",
    "wait": seconds, "until": "delivered" or "read"}, …]. `audience` is {"kind": "rule", "rule": …} or
    {"kind": "items"} with `items`, or with `fill(dispatch_id)`, which writes the items by a statement of its
    own and returns how many. An `urgent` one does not wait for the end of quiet hours. Raises Refused if the
    job cannot be sent as asked. Once the transaction commits, every recipient ends in exactly one state.
    """
    topic = topic or (template_version.template.topic if template_version else None)
    check_content(template_version=template_version, text=text)
    check_chain(chain)
    check_class(message_class=message_class, topic=topic)
    check_audience(audience=audience, items=items)
    now = timezone.now()
    send_at = send_at or now
    check_end(chain=chain, start=max(now, send_at), end=expires_at)
    if rate_per_second is not None and rate_per_second < 1:
        raise Refused(_("The rate must be at least one message a second."), field="rate_per_second")
    later = send_at > now + PLAN_AHEAD
    dispatch = Dispatch.objects.create(
        title=title[:200],
        origin_kind=origin_kind,
        origin_id=str(origin_id),
        trigger=trigger[:200],
        message_class=message_class,
        priority=priority,
        topic=topic,
        template_version=template_version,
        text=json.dumps(text, ensure_ascii=False) if text is not None else None,
        chain=chain,
        audience=audience,
        subject_ref=subject_ref,
        urgent=urgent,
        state=Dispatch.State.SCHEDULED if later else Dispatch.State.PLANNING,
        send_at=send_at,
        expires_at=expires_at,
        # Items are numbered by their makers, from 0 or below for all we know.
        plan_cursor=min((item.item for item in items), default=1) - 1,
        rate_per_second=rate_per_second,
        owner=owner,
        owner_team=owner_team,
        author=author[:120],
        approved_by=approved_by[:120],
    )
    named = len(items)
    if items:
        _keep_items(dispatch, items)
    if fill is not None:
        named += fill(dispatch.pk)
    if current_actor().kind != "system":
        audit.record(verb="create_dispatch", obj=dispatch, origin=origin_kind, origin_id=str(origin_id))
    if later:
        return dispatch
    if priority == Priority.REALTIME and audience["kind"] == "items" and named <= PLANNED_AT_ONCE:
        plan_dispatch(dispatch_id=dispatch.pk, known=dispatch)
        dispatch.refresh_from_db(fields=PLANNED_FIELDS)
    else:
        bells.ring_planner(dispatch.pk, queue=bells.planning_queue(priority, audience))
    return dispatch


def _keep_items(dispatch: Dispatch, items: Sequence[Item]) -> None:
    DispatchItem.objects.bulk_create(
        (
            DispatchItem(
                dispatch=dispatch,
                item=item.item,
                customer_id=item.customer_id,
                contact_id=item.contact_id,
                subject_ref=item.subject_ref,
                variables=json.dumps(item.variables, ensure_ascii=False, default=str)
                if item.variables
                else None,
            )
            for item in items
        ),
        batch_size=500,
    )
