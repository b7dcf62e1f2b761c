"""Everybody a customer was before they were merged."""

from django.db import connection

# The ledger keeps whom it wrote to at the time, so one person's messages stand under each of their numbers.
_PERSON = """
WITH RECURSIVE person (id) AS (
    SELECT %(customer)s::bigint
    UNION
    SELECT c.id FROM customers_customer c JOIN person p ON c.merged_into_id = p.id
)
SELECT id FROM person
"""


def person_ids(*, customer_id: int) -> list[int]:
    """Return the customer's id and those of all who were merged into them, directly or through another."""
    with connection.cursor() as cursor:
        cursor.execute(_PERSON, {"customer": customer_id})
        return [row[0] for row in cursor.fetchall()]
