"""Whether a gathered message is still wanted: one expression, asked before closing and in the gate."""

from notifyhub.messaging.engine.plan_sql import SUBJECT_HOLD_EXEMPT
from notifyhub.messaging.models import DigestItem
from notifyhub.messaging.registry import stop_conditions

# The kind of origin of a digest's dispatch.
ORIGIN = "digest"
Reason = DigestItem.Reason
GATHERED = DigestItem.State.GATHERED.value

_HELD = """EXISTS (
    SELECT 1 FROM customers_hold h JOIN customers_customer hc ON hc.id = d.customer_id
    WHERE h.customer_id = coalesce(hc.merged_into_id, hc.id) AND h.scope = 'subject'
      AND h.scope_value = q.subject_ref AND h.released_at IS NULL
      AND (h.ends_at IS NULL OR h.ends_at > statement_timestamp()))"""

# The aliases: q (the digest item), qj (the dispatch it came from), d (its message in the ledger, as the stop
# conditions know it). Of a part of the ledger that was filled since the last ANALYZE the database believes
# that it is empty, and would read all of it for each row: the inner LIMIT keeps it a look-up by key.
SOURCES = """JOIN messaging_dispatch qj ON qj.id = q.dispatch_id
    CROSS JOIN LATERAL (
        SELECT r.* FROM messaging_delivery r
        WHERE r.dispatch_id = q.dispatch_id AND r.id = q.delivery_id LIMIT 1
    ) d"""


def why_not() -> str:
    """Return the SQL expression that says why a gathered message goes no more; NULL while it is wanted.

    A literal percent sign is written twice in it, for it runs with parameters.
    """
    exempt = ", ".join(f"'{kind}'" for kind in SUBJECT_HOLD_EXEMPT)
    branches = [
        f"WHEN qj.state IN ('cancelling', 'cancelled') THEN '{Reason.CANCELLED.value}'",
        f"WHEN qj.expires_at <= statement_timestamp() THEN '{Reason.EXPIRED.value}'",
        f"WHEN q.subject_ref <> '' AND qj.origin_kind NOT IN ({exempt}) AND {_HELD} "
        f"THEN '{Reason.HOLD.value}'",
        *(
            f"WHEN qj.origin_kind = '{kind}' AND ({fragment}) THEN '{Reason.STOPPED.value}'"
            for kind, fragment in stop_conditions.items()
            if isinstance(fragment, str)
        ),
    ]
    return f"CASE {' '.join(branches)} END"


def nothing_left() -> str:
    """Return the stop condition of a digest's own message `d`: nothing it gathered is wanted any more."""
    return f"""NOT EXISTS (
        SELECT 1 FROM (
            SELECT w.* FROM messaging_digestitem w
            WHERE w.digest_id = d.dispatch_id AND w.digest_item = d.dedup_key AND w.state = {GATHERED}
        ) q {SOURCES}
        WHERE ({why_not()}) IS NULL)"""
