"""What a person decides about a message in doubt."""

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine.counts import fold_counts
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.services.receipts import sql
from notifyhub.messaging.services.receipts.merging import Move, reason_of, write_moves
from notifyhub.staff.services import audit

State = Delivery.State
Kind = DeliveryEvent.Kind


@transaction.atomic
def settle_unknown(*, dispatch_id: int, delivery_id: int, sent: bool, reason: str) -> Delivery:
    """Let a person decide what became of a message in doubt; return it.

    Raises Refused if the message is not in doubt or no reason is given. Nothing is sent again.
    """
    if not reason.strip():
        raise Refused(_("Say how you know."), field="reason")
    with connection.cursor() as cursor:
        cursor.execute(sql.LOCK_BATCHES, {"dispatches": [dispatch_id], "ids": [delivery_id]})
    rows = Delivery.objects.select_for_update().filter(dispatch_id=dispatch_id, pk=delivery_id)
    row = rows.first()
    if row is None or row.state != State.UNKNOWN:
        raise Refused(_("This message is not in doubt any more."), code="state")
    to = State.SENT if sent else State.FAILED
    now = timezone.now()
    move = Move(
        dispatch_id=dispatch_id,
        delivery_id=delivery_id,
        before=State.UNKNOWN,
        after=to,
        at=now,
        reason_before=row.reason,
        reason_after=reason_of(to),
    )
    with connection.cursor() as cursor:
        write_moves(cursor, [move])
    DeliveryEvent.objects.create(
        at=now,
        dispatch_id=dispatch_id,
        delivery_id=delivery_id,
        kind=Kind.SETTLED,
        code="sent" if sent else "failed",
        detail=reason.strip()[:300],
    )
    fold_counts([dispatch_id])
    dispatch = Dispatch.objects.get(pk=dispatch_id)
    reference = f"{dispatch_id}-{delivery_id}"
    audit.record(verb="settle_message", obj=dispatch, label=reference, reason=reason, sent=sent)
    # By both parts of the key: a look-up by id alone would read every partition.
    return Delivery.objects.get(dispatch_id=dispatch_id, pk=delivery_id)
