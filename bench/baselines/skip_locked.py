"""A queue in a table, as it is usually written: claim 500 rows by SKIP LOCKED, settle them by UPDATE.

The table has the ledger's columns, the usual partial index on what is pending, and each settled row writes
the event that ours writes, into a table like ours.
"""

from django.db import connection, transaction

from bench.cpu import Meter
from bench.models import PlainDelivery

ROWS = 500

_FILL = """
INSERT INTO bench_plaindelivery (dispatch_id, customer_id, contact_id, dedup_key, step, channel, state,
    reason, tries, send_at)
SELECT %(dispatch)s, n, n, n, 0, 'email', 0, '', 0, now() FROM generate_series(1, %(rows)s) n
"""
_EVENTS = "CREATE TABLE IF NOT EXISTS bench_event (LIKE messaging_deliveryevent INCLUDING ALL)"
_CLAIM = """
UPDATE bench_plaindelivery SET state = 5, tries = tries + 1
WHERE id IN (SELECT id FROM bench_plaindelivery WHERE state = 0 AND send_at <= now()
             ORDER BY send_at, id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, dispatch_id
"""
_SETTLE = """
UPDATE bench_plaindelivery d SET state = r.state, account_id = 1, settled_at = clock_timestamp()
FROM unnest(%s::bigint[], %s::smallint[]) AS r(id, state) WHERE d.id = r.id
"""
_EVENT = """
INSERT INTO bench_event (at, dispatch_id, delivery_id, account_id, kind, provider_ref, code, detail, worker)
SELECT clock_timestamp(), dispatch_id, id, 1, 'sent', ref, '', '', 'host:1234:abcdef'
FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS r(id, dispatch_id, ref)
"""


def settle(rows: int) -> float:
    """Claim and settle so many rows; return the database's microseconds a row."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS)
        cursor.execute("SELECT coalesce(max(dispatch_id), 0) + 1 FROM bench_plaindelivery")
        dispatch = cursor.fetchone()[0]
        # What an earlier round left pending is not ours.
        PlainDelivery.objects.filter(state=0).update(state=90)
        cursor.execute(_FILL, {"dispatch": dispatch, "rows": rows})
        cursor.execute("VACUUM ANALYZE bench_plaindelivery")
    done = 0
    with Meter() as meter, connection.cursor() as cursor:
        while True:
            cursor.execute(_CLAIM, [ROWS])
            claimed = cursor.fetchall()
            if not claimed:
                break
            ids = [row[0] for row in claimed]
            with transaction.atomic():
                cursor.execute(_SETTLE, [ids, [20] * len(ids)])
                refs = [f"null-0123456789abcdef0123456789abcdef.{one}" for one in ids]
                cursor.execute(_EVENT, [ids, [row[1] for row in claimed], refs])
            done += len(ids)
    assert done == rows, f"{done} of {rows} rows were settled"
    return meter.cpu() * 1e6 / rows
