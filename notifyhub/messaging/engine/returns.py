"""Uncounting messages long after their window, when somebody learns that they never went out."""

from collections.abc import Sequence
from datetime import date, timedelta

from django.db import connection
from django.utils import timezone

from notifyhub.messaging.engine.asks import asks_of
from notifyhub.messaging.engine.limits import Policies
from notifyhub.messaging.engine.quiet import zone_of
from notifyhub.messaging.engine.reserve import Taken, give_back
from notifyhub.messaging.engine.respects import text_respect
from notifyhub.messaging.models import Delivery, Dispatch, Link
from notifyhub.messaging.services.copies import show_many

# A message was counted when its window opened, at most so long before it settled or was tried again.
DAYS_BACK = 3

_ROWS = """
SELECT d.id, coalesce(c.merged_into_id, c.id), c.time_zone, d.channel, d.step,
       coalesce(d.settled_at, statement_timestamp()),
       coalesce(nullif(i.subject_ref, ''), j.subject_ref, '')
FROM messaging_delivery d
JOIN messaging_dispatch j ON j.id = d.dispatch_id
JOIN customers_customer c ON c.id = d.customer_id
LEFT JOIN messaging_dispatchitem i ON i.dispatch_id = d.dispatch_id AND i.item = d.dedup_key
WHERE d.dispatch_id = %(dispatch)s AND d.id = ANY(%(rows)s)
ORDER BY d.id
"""

# The latest day on which it can have been counted.
_DAYS = """
SELECT w.customer_id, w.respect, n.day, w.subject
FROM unnest(%(customer)s::bigint[], %(respect)s::bigint[], %(day)s::date[], %(subject)s::bigint[])
    AS w(customer_id, respect, day, subject)
CROSS JOIN LATERAL (
    SELECT c.day FROM messaging_sendcount c
    WHERE c.customer_id = w.customer_id AND c.subject = w.subject AND c.respect = w.respect AND c.used > 0
      AND c.day > w.day - %(back)s AND c.day <= w.day
    ORDER BY c.day DESC LIMIT 1
) n
"""


def give_back_for(*, dispatch_id: int, delivery_ids: Sequence[int]) -> None:
    """Uncount these messages: they were thought sent or in doubt and are known now to have failed.

    Call it once per message, in the transaction that settles it as failed.
    """
    dispatch = Dispatch.objects.filter(pk=dispatch_id).first()
    if dispatch is None or not delivery_ids:
        return
    policies = Policies()
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"dispatch": dispatch_id, "rows": list(delivery_ids)})
        rows = [(policies.limits(dispatch.message_class, row[3]), *row) for row in cursor.fetchall()]
        rows = [row for row in rows if row[0].counts]
        # Only a text that could still stand in the way of another is looked up.
        fresh = [row[1] for row in rows if timezone.now() - row[6] < timedelta(hours=row[0].duplicate_hours)]
        texts = _texts(dispatch, fresh) if fresh else {}
        taken: list[tuple[int, int, date, int]] = []
        for limits, number, person, zone, _channel, step, settled_at, subject_ref in rows:
            asks = asks_of(limits, subject_ref=subject_ref, text=texts.get(number), goes_on=step > 0)
            day = settled_at.astimezone(zone_of(zone)).date()
            taken += [(person, ask.respect, day, ask.subject) for ask in asks]
        if not taken:
            return
        cursor.execute(
            _DAYS,
            {
                "customer": [one[0] for one in taken],
                "respect": [one[1] for one in taken],
                "day": [one[2] for one in taken],
                "subject": [one[3] for one in taken],
                "back": DAYS_BACK,
            },
        )
        found = cursor.fetchall()
    give_back(
        Taken(customer_id=customer, respect=respect, day=day, subject=subject)
        for customer, respect, day, subject in found
    )


def _texts(dispatch: Dispatch, delivery_ids: Sequence[int]) -> dict[int, int]:
    """Return the respects of what these messages said, as far as their copies are still kept."""
    rows = list(Delivery.objects.filter(dispatch_id=dispatch.pk, id__in=delivery_ids))
    said = show_many([(dispatch, row) for row in rows])
    # A copy shows where its links lead; in the message each was a link of our own.
    urls = sorted(
        Link.objects.filter(template_version=dispatch.template_version_id).values_list("url", flat=True),
        key=len,
        reverse=True,
    )
    return {
        row.pk: text_respect(shown.subject, shown.text, shown.html, urls=urls)
        for row in rows
        if (shown := said.get(row.reference)) is not None
    }
