"""Trying a rule on what happened lately, without writing anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer, WatchRule
from notifyhub.customers.services.watch import sql
from notifyhub.customers.services.watch.alerts import GATHER
from notifyhub.customers.services.watch.following import SETTLE

DAYS = 7
SHOWN = 8
TIMEOUT_MS = 8_000

# What is found within an hour of the one before would have come in the same alert.
_TRY = """
WITH found AS (
    SELECT key, occurred_at, since_at, customer_id, order_number,
        CASE WHEN %(kind)s = 'burst' THEN key ELSE '' END AS g
    FROM ({judged}) j WHERE applies
), gathered AS (
    SELECT *, coalesce(occurred_at - lag(occurred_at) OVER (PARTITION BY g ORDER BY occurred_at)
        > %(gather)s, true) AS opens
    FROM found
)
SELECT count(*) OVER (), count(*) FILTER (WHERE opens) OVER (),
    key, since_at, occurred_at, customer_id, order_number
FROM gathered ORDER BY occurred_at DESC LIMIT %(shown)s
"""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a rule would have found: how much, in how many alerts, and the latest of it."""

    findings: int
    alerts: int
    latest: list[dict[str, Any]]
    days: int = DAYS


def try_rule(*, facts: Mapping[str, Any], now: datetime | None = None) -> Trial:
    """Return what a rule of these facts would have found in the last seven days; raise Refused if that
    takes too long to say."""
    now = now or timezone.now()
    since = now - timedelta(days=DAYS)
    sighted = sql.SIGHTED.format(
        rules=sql.GIVEN, where="e.received_at > %(oldest)s AND e.name = ANY (%(names)s)"
    )
    plain = f"""
        SELECT key, role, occurred_at, message_id, customer_id, order_number, NULL::timestamptz AS due_at
        FROM ({sighted}) seen"""
    reach = "s.occurred_at > %(since)s"
    if facts["kind"] == WatchRule.Kind.MISSING:
        reach += " AND s.occurred_at + make_interval(mins => %(minutes)s) < %(now)s"
    names = ("kind", "first", "second", "unless", "scope", "properties", "minutes", "count")
    values = {
        **{name: facts[name] for name in names},
        "names": [*facts["first"], *facts["second"], *facts["unless"]],
        "since": since,
        "oldest": since - timedelta(minutes=facts["minutes"]) - timedelta(days=1),
        "now": now,
        "settle": SETTLE.total_seconds(),
        "gather": GATHER,
        "shown": SHOWN,
    }
    query = _TRY.format(judged=sql.judged(facts["kind"], plain, reach))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(TIMEOUT_MS)])
            cursor.execute(query, values)
            rows = cursor.fetchall()
            cursor.execute("SELECT set_config('statement_timeout', '0', true)")
    except OperationalError as error:
        raise Refused(_("There are too many such events to try this now.")) from error
    people = Customer.objects.in_bulk({row[5] for row in rows})
    latest = [
        {
            "group": row[2] if facts["kind"] == WatchRule.Kind.BURST else "",
            "since_at": row[3],
            "occurred_at": row[4],
            "customer": people.get(row[5]),
            "order_number": row[6],
        }
        for row in rows
    ]
    return Trial(findings=rows[0][0] if rows else 0, alerts=rows[0][1] if rows else 0, latest=latest)
