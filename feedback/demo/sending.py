"""The answers of the demo's cases go out for real, into the sandbox, and are then dated."""

from datetime import timedelta

from django.db.models import F
from django.utils.translation import gettext as _

from feedback.demo.rows import Sheet
from feedback.models import Case, CaseEvent, Interaction
from feedback.services.news import tell_owner
from feedback.services.replies import settle_replies
from notifyhub.customers.models import ContactPoint
from notifyhub.messaging.demo.orders import EMPTY_NUMBER
from notifyhub.messaging.demo.past import date_messages
from notifyhub.messaging.engine.finish import finish_dispatches
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.worker import Worker
from notifyhub.messaging.models import Delivery, DeliveryEvent
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import Item, create_dispatch
from notifyhub.messaging.services.receipts import Receipt, record_receipts

SECONDS = 20.0


def _send(line: Interaction) -> None:
    case, author = line.case, line.author
    dispatch = create_dispatch(
        # Shown in the words of whoever reads it; see the origin.
        title=case.number,
        origin_kind="case",
        origin_id=case.number,
        message_class="transactional",
        chain=[{"channel": line.channel}],
        audience={"kind": "items"},
        items=[Item(item=line.pk, customer_id=case.customer_id or 0)],
        text={"subject": line.subject, "body": line.body},
        priority=Priority.REALTIME,
        subject_ref=case.subject_ref,
        owner=author,
        owner_team=case.team,
        author=str(author),
    )
    line.dispatch_id = dispatch.pk


def send_replies(sheet: Sheet) -> int:
    """Send the answers, oldest first, and copy what the ledger says onto their lines; return how many."""
    lines = [line for line in sheet.lines if line.kind == Interaction.Kind.REPLY and line.case.customer_id]
    lines.sort(key=lambda line: line.at)
    for line in lines:
        _send(line)
    Interaction.objects.bulk_update(lines, ["dispatch_id"], batch_size=500)
    transport = Transport()
    try:
        # Only what is urgent: a campaign of the demo that is still sending goes on by itself.
        Worker(transport).drain(priority=Priority.REALTIME, seconds=SECONDS)
    finally:
        transport.close()
    finish_dispatches()
    date_messages({(line.dispatch_id or 0, line.pk): line.at for line in lines})
    settle_replies(dispatch_ids=[line.dispatch_id for line in lines if line.dispatch_id])
    # The news were of this minute; the answers were not.
    arrived = Interaction.objects.filter(
        pk__in=[line.pk for line in lines], state__in=Interaction.HANDED_OVER
    )
    arrived.update(state_at=F("at") + timedelta(seconds=5))
    for line in sheet.failing:
        _fail(line)
    return len(lines)


def _fail(line: Interaction) -> None:
    """Let the operator report this number as out of service, as it did some seconds after."""
    row = Delivery.objects.get(dispatch_id=line.dispatch_id or 0)
    at = line.at + timedelta(seconds=16)
    record_receipts(
        [
            Receipt(
                dispatch_id=row.dispatch_id,
                delivery_id=row.pk,
                kind=DeliveryEvent.Kind.BOUNCED,
                at=at,
                code=EMPTY_NUMBER,
                detail="空号",
            )
        ]
    )
    row.refresh_from_db()
    case = line.case
    Interaction.objects.filter(pk=line.pk).update(
        state=Interaction.Sending.FAILED, state_reason=row.reason, state_at=at
    )
    Case.objects.filter(pk=case.pk).update(failed_replies=1)
    data = {"interaction": line.pk, "reason": row.reason}
    CaseEvent.objects.create(case=case, kind="reply_failed", at=at, actor_name="system", data=data)
    ContactPoint.objects.filter(pk=row.contact_id or 0).update(
        valid=False, invalid_reason=ContactPoint.Invalid.NOT_IN_SERVICE
    )
    title = _("Your reply in %s was not delivered") % case.number
    tell_owner(case, title, level="warning", dedup=f"reply-failed:{line.pk}:{line.dispatch_id}")
