"""One message, and the messages of one customer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models.functions import Coalesce

from notifyhub.customers.services.merging import person_ids
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.services.ledger.lines import MessageLine, read_lines
from notifyhub.messaging.services.ledger.listing import read_numbers

OF_ONE_CUSTOMER = 2_000


def messages_of(customer_id: int, limit: int, before: datetime | None = None) -> list[MessageLine]:
    """Return a customer's latest messages, older than `before` if given, newest first.

    Those to customers who were merged into this one are among them.
    """
    mine = Delivery.objects.filter(customer_id__in=person_ids(customer_id=customer_id))
    rows = mine.filter(id__in=mine.order_by("-id").values("id")[:OF_ONE_CUSTOMER]).annotate(
        at=Coalesce("settled_at", "send_at")
    )
    if before is not None:
        rows = rows.filter(at__lt=before)
    return read_lines(list(rows.order_by("-at", "-id")[:limit]))


_ABOUT = """
SELECT d.id FROM unnest(%(people)s::bigint[], %(subjects)s::text[]) AS p (customer_id, subject)
JOIN messaging_delivery d ON d.customer_id = p.customer_id AND d.send_at >= %(since)s
JOIN messaging_dispatch s ON s.id = d.dispatch_id
LEFT JOIN messaging_dispatchitem i ON i.dispatch_id = d.dispatch_id AND i.item = d.dedup_key
WHERE coalesce(nullif(i.subject_ref, ''), s.subject_ref) = p.subject
ORDER BY d.id DESC LIMIT %(limit)s
"""


def messages_about(pairs: Sequence[tuple[int, str]], since: datetime, limit: int) -> list[MessageLine]:
    """Return what was planned for or sent to each of these customers about their subject since then."""
    values: dict[str, Any] = {
        "people": [customer_id for customer_id, _subject in pairs],
        "subjects": [subject for _customer_id, subject in pairs],
        "since": since,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ABOUT, values)
        ids = [row[0] for row in cursor.fetchall()]
    rows = Delivery.objects.filter(
        id__in=ids, customer_id__in={customer_id for customer_id, _subject in pairs}
    ).annotate(at=Coalesce("settled_at", "send_at"))
    return read_lines(list(rows.order_by("-id")))


def find_message(reference: str) -> tuple[Dispatch, Delivery] | None:
    """Return the message named "dispatch-id" with its dispatch, or None."""
    numbers = read_numbers(reference, 2)
    if numbers is None:
        return None
    delivery = Delivery.objects.filter(dispatch_id=numbers[0], id=numbers[1]).first()
    if delivery is None:
        return None
    dispatch = Dispatch.objects.select_related(
        "topic", "owner", "owner_team", "template_version__template", "template_version__created_by"
    ).get(pk=numbers[0])
    return dispatch, delivery


def events_of(delivery: Delivery) -> list[DeliveryEvent]:
    """Return what happened to a message, oldest first."""
    return list(
        DeliveryEvent.objects.filter(dispatch_id=delivery.dispatch_id, delivery_id=delivery.pk).order_by(
            "at", "id"
        )
    )


def neighbours_with_same_reason(delivery: Delivery) -> int | None:
    """Return how many messages of the dispatch share this state and reason; None if it is a large one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE state = %s AND reason = %s), count(*) FROM (SELECT state, reason"
            " FROM messaging_delivery WHERE dispatch_id = %s LIMIT 50001) d",
            [delivery.state, delivery.reason, delivery.dispatch_id],
        )
        same, looked = cursor.fetchone()
    return None if looked > 50_000 else same
