"""Contacts that no dispatch made: a call about a bill counts like a message about it."""

from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from notifyhub.customers.models import Customer
from notifyhub.messaging.engine.quiet import zone_of
from notifyhub.messaging.engine.reserve_sql import ADDED
from notifyhub.messaging.engine.respects import subject_respect

_NOTE = f"""
INSERT INTO messaging_sendday AS t (customer_id, subject, day, respects, used, at)
VALUES (%(customer)s, %(respect)s, %(day)s, ARRAY[%(respect)s]::bigint[], ARRAY[1]::smallint[],
        ARRAY[%(at)s]::timestamptz[])
ON CONFLICT (customer_id, subject, day) DO UPDATE SET {ADDED}
"""


def note_subject_contact(*, customer_id: int, subject_ref: str, at: datetime | None = None) -> None:
    """Count that the customer was spoken to about this subject, now or `at`.

    Service messages then keep their gap to it, and their maximum counts it. Raises Customer.DoesNotExist.
    """
    customer = Customer.objects.only("id", "merged_into_id", "time_zone").get(pk=customer_id)
    moment = at or timezone.now()
    values: dict[str, Any] = {
        "customer": customer.merged_into_id or customer.pk,
        "respect": subject_respect(subject_ref),
        "day": moment.astimezone(zone_of(customer.time_zone)).date(),
        "at": moment,
    }
    if subject_ref:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, values)
