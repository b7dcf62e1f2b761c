"""One writer of a rule's occasions at a time: the tick and the quick road would else begin one twice over."""

from django.db import connection

_SPACE = "hashtext('reminders.rule')"


def lock_rule(rule_id: int) -> None:
    """Wait until this transaction is the only one that begins or limits occasions of the rule."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({_SPACE}, %s)", [rule_id % 2**31])
