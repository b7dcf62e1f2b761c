"""Preparing a transaction: for many rows, and as the only writer of a rule's occasions.

Without the lock, the tick and the quick road would begin one twice over, or lose a restart between them.
"""

from django.db import connection

MANY = 10_000
_SPACE = "hashtext('reminders.rule')"


def lock_rule(rule_id: int) -> None:
    """Wait until this transaction is the only one that begins or limits occasions of the rule."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({_SPACE}, %s)", [rule_id % 2**31])


def expect_many() -> None:
    """Set this transaction up for long statements over many rows: compiling them costs more than it saves."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL jit = off; SET LOCAL work_mem = '64MB'")


def know_tables(changed: int) -> None:
    """Have the tables analysed after so many rows were made that what was known of them is wrong."""
    if changed >= MANY:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE reminders_occasion, reminders_reminder")
