"""What happens to waiting ones when their customer is merged, or a person gave up what was overdue."""

from datetime import datetime

from django.db import connection
from django.utils import timezone

from notifyhub.messaging.models import DigestItem

State = DigestItem.State

_WISHES = """
UPDATE messaging_digestwish w SET customer_id = %(kept)s WHERE w.customer_id = %(merged)s
AND NOT EXISTS (
    SELECT 1 FROM messaging_digestwish k WHERE k.customer_id = %(kept)s AND k.topic_id = w.topic_id)
"""


def follow_merge(*, kept_id: int, merged_id: int) -> int:
    """Let the kept customer have what waits for the merged one, and the wishes they had not told themselves;
    return how many messages moved."""
    with connection.cursor() as cursor:
        cursor.execute(_WISHES, {"kept": kept_id, "merged": merged_id})
    rows = DigestItem.objects.filter(customer_id=merged_id, state=State.WAITING)
    return rows.update(customer_id=kept_id)


def cancel_overdue(*, before: datetime) -> int:
    """Leave out what should have gone before that moment; return how many messages that is."""
    rows = DigestItem.objects.filter(state=State.WAITING, closes_at__lt=before)
    return rows.update(state=State.DROPPED, reason=DigestItem.Reason.CANCELLED, settled_at=timezone.now())
