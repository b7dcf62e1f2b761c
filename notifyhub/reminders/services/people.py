"""What happens to reminders when two customers turn out to be one, or to be two after all."""

from typing import Any

from django.db import connection, transaction

from notifyhub.reminders.models import ReminderRule

# What the kept customer has of its own goes on; a double of the same subject stays where it was and ends.
_OCCASIONS = """
UPDATE reminders_occasion o SET customer_id = %(kept)s
WHERE o.customer_id = %(merged)s AND o.subject_ref NOT LIKE 'customer:%%'
"""
_ROWS = """
UPDATE reminders_reminder r SET customer_id = o.customer_id
FROM reminders_occasion o
WHERE o.id = r.occasion_id AND o.customer_id = %(kept)s AND r.customer_id <> o.customer_id
"""
# Those about an order go back with it.
_BACK = """
UPDATE reminders_occasion o SET customer_id = ord.customer_id
FROM customers_order ord
WHERE ord.id = o.order_id AND o.customer_id IN (%(kept)s, %(merged)s) AND ord.customer_id <> o.customer_id
"""
_ROWS_BACK = """
UPDATE reminders_reminder r SET customer_id = o.customer_id
FROM reminders_occasion o
WHERE o.id = r.occasion_id AND o.customer_id IN (%(kept)s, %(merged)s) AND r.customer_id <> o.customer_id
"""


@transaction.atomic
def move_reminders(*, kept_id: int, merged_id: int) -> int:
    """Give the kept customer what the merged one was reminded of; return how many occasions moved.

    Dates of the profile begin anew by the kept profile; those of the merged one end with it.
    """
    params = {"kept": kept_id, "merged": merged_id}
    with connection.cursor() as cursor:
        cursor.execute(_OCCASIONS, params)
        moved = cursor.rowcount
        cursor.execute(_ROWS, params)
    return int(moved)


@transaction.atomic
def move_reminders_back(*, kept_id: int, merged_id: int) -> int:
    """Give back what is about the orders that went back; return how many occasions moved."""
    params = {"kept": kept_id, "merged": merged_id}
    with connection.cursor() as cursor:
        cursor.execute(_BACK, params)
        moved = cursor.rowcount
        cursor.execute(_ROWS_BACK, params)
    # The profiles have changed on both sides.
    ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE, live__start="customer").update(
        planned_at=None
    )
    return int(moved)


def on_customers_merged(kept_id: int, merged_id: int, **kwargs: Any) -> None:
    """Receiver of the customers' signal."""
    move_reminders(kept_id=kept_id, merged_id=merged_id)


def on_customers_unmerged(kept_id: int, merged_id: int, **kwargs: Any) -> None:
    """Receiver of the customers' signal."""
    move_reminders_back(kept_id=kept_id, merged_id=merged_id)
