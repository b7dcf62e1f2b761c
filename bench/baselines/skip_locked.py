"""A queue in a table, as it is usually written: claim 500 rows by SKIP LOCKED, settle them by UPDATE.

What it does, and why:

* The table has the ledger's columns and indexes, and the partial index on what is pending that such a worker
  looks for. That index is why no update of it can be HOT: state is in its predicate.
* A claim commits at once and says who has the rows and until when, and a partial index finds claims that ran
  out: without these a queue loses what a dead worker had. Ours does both by the batch. That no worker
  outlives its claim is taken on trust, as in most; ours fences.
* Each settled row writes the event that ours writes, into a table like ours, in the same transaction.
* 500 rows at a time, five times our window: fewer statements for it, more rows in doubt after a crash.
* The worker looks rows up by their key. On a table of less than some 100,000 rows PostgreSQL would rather
  read all of it for each claim, and again for each settling, which costs twice as much or not depending on
  what the rounds before left there. A queue in use is larger than that, so those plans are switched off.
* Before each round the table is vacuumed, as autovacuum does once a fifth of it is dead; then the rows come,
  into space that others left. Nothing else is open that would keep dead rows from being passed over.
"""

from django.db import connection, transaction

from bench.cpu import Meter
from bench.models import ClaimedDelivery

ROWS = 500
WORKER = "host:1234:abcdef"

_FILL = """
INSERT INTO bench_claimeddelivery (dispatch_id, customer_id, contact_id, dedup_key, step, channel, state,
    reason, tries, send_at, claimed_by)
SELECT %(dispatch)s, n, n, n, 0, 'email', 0, '', 0, now(), '' FROM generate_series(1, %(rows)s) n
"""
_EVENTS = "CREATE TABLE IF NOT EXISTS bench_event (LIKE messaging_deliveryevent INCLUDING ALL)"
_CLAIM = """
UPDATE bench_claimeddelivery
SET state = 5, tries = tries + 1, claimed_by = %s, claimed_until = now() + interval '5 minutes'
WHERE id IN (SELECT id FROM bench_claimeddelivery WHERE state = 0 AND send_at <= now()
             ORDER BY send_at, id LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, dispatch_id
"""
_SETTLE = """
UPDATE bench_claimeddelivery d
SET state = r.state, account_id = 1, settled_at = clock_timestamp(), claimed_by = '', claimed_until = NULL
FROM unnest(%s::bigint[], %s::smallint[]) AS r(id, state)
WHERE d.id = r.id
"""
_EVENT = """
INSERT INTO bench_event (at, dispatch_id, delivery_id, account_id, kind, provider_ref, code, detail, worker)
SELECT clock_timestamp(), dispatch_id, id, 1, 'sent', ref, '', '', %s
FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS r(id, dispatch_id, ref)
"""
_BY_KEY = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"


def settle(rows: int) -> float:
    """Claim and settle so many rows; return the database's microseconds a row."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS)
        cursor.execute("SELECT coalesce(max(dispatch_id), 0) + 1 FROM bench_claimeddelivery")
        dispatch = cursor.fetchone()[0]
        # What an earlier round left pending is not ours.
        ClaimedDelivery.objects.filter(state=0).update(state=90)
        cursor.execute("VACUUM bench_claimeddelivery")
        cursor.execute(_FILL, {"dispatch": dispatch, "rows": rows})
        cursor.execute("ANALYZE bench_claimeddelivery")
        cursor.execute(_BY_KEY)
    try:
        with Meter() as meter:
            done = _work()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(_BY_KEY.replace("= off", "TO DEFAULT"))
    assert done == rows, f"{done} of {rows} rows were settled"
    return meter.cpu() * 1e6 / rows


def _work() -> int:
    """Claim and settle until nothing is left; return how many rows."""
    done = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_CLAIM, [WORKER, ROWS])
            claimed = cursor.fetchall()
            if not claimed:
                return done
            ids = [row[0] for row in claimed]
            with transaction.atomic():
                cursor.execute(_SETTLE, [ids, [20] * len(ids)])
                assert cursor.rowcount == len(ids)
                refs = [f"null-0123456789abcdef0123456789abcdef.{one}" for one in ids]
                cursor.execute(_EVENT, [WORKER, ids, [row[1] for row in claimed], refs])
            done += len(ids)
