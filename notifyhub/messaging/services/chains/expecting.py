"""How many people each step of a chain can reach at most, and how many it will, by what happened lately.

The history is a sample: the latest dispatches of the class, some messages of each. A share that comes from
few messages says nothing, and is not used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from notifyhub.messaging.engine.chain_rules import READ
from notifyhub.messaging.models import Delivery
from notifyhub.messaging.services.chains.wording import channel_label, until_of

State = Delivery.State
DAYS = 90
# Fewer messages than these are no history.
ENOUGH = 30
DISPATCHES, BATCHES, ROWS = 40, 2, 250

# Of what was handed over, or failed, long enough ago: how much did not do the work of such a step in time.
# What is in doubt may have arrived, and nothing follows it.
_SHARES = f"""
SELECT w.place, count(*), count(*) FILTER (WHERE
    d.state IN ({State.FAILED.value}, {State.BOUNCED.value})
    OR (w.wait IS NOT NULL AND d.state IN ({State.SENT.value}, {State.DELIVERED.value}) AND NOT coalesce(
        d.read_at <= greatest(d.settled_at, d.send_at) + w.span
        OR (NOT w.reads AND d.delivered_at <= greatest(d.settled_at, d.send_at) + w.span), FALSE)))
FROM (
    SELECT place, channel, wait, reads, make_interval(secs => coalesce(wait, 0)) AS span
    FROM unnest(%(places)s::int[], %(channels)s::text[], %(waits)s::float8[], %(reads)s::bool[])
        AS one(place, channel, wait, reads)
) w
CROSS JOIN LATERAL (
    SELECT j.id FROM messaging_dispatch j
    WHERE j.message_class = %(class)s AND j.created_at > statement_timestamp() - interval '{DAYS} days'
      AND j.started_at < statement_timestamp() - w.span
      AND EXISTS (SELECT 1 FROM messaging_batch o WHERE o.dispatch_id = j.id AND o.channel = w.channel
                  AND o.state = 2 AND o.ids IS NULL AND o.sent + o.failed > 0)
    ORDER BY j.id DESC LIMIT {DISPATCHES}
) j
CROSS JOIN LATERAL (
    SELECT b.lo, b.hi FROM messaging_batch b
    WHERE b.dispatch_id = j.id AND b.channel = w.channel AND b.state = 2 AND b.ids IS NULL
      AND b.sent + b.failed > 0
    ORDER BY b.id LIMIT {BATCHES}
) b
CROSS JOIN LATERAL (
    SELECT r.state, r.settled_at, r.send_at, r.delivered_at, r.read_at FROM messaging_delivery r
    WHERE r.dispatch_id = j.id AND r.id >= b.lo AND r.id <= b.hi ORDER BY r.id LIMIT {ROWS}
) d
WHERE d.state IN ({State.SENT.value}, {State.DELIVERED.value}, {State.FAILED.value}, {State.BOUNCED.value},
                  {State.UNKNOWN.value})
  AND (d.state IN ({State.FAILED.value}, {State.BOUNCED.value})
       OR d.settled_at < statement_timestamp() - w.span)
GROUP BY w.place
"""


@dataclass(frozen=True, kw_only=True)
class StepOutlook:
    """One step before anything is sent: `at_most` people can be reached over it, `expected` is how many
    messages it will make; None where a step before it has no history. `share` of those it reaches go on."""

    number: int
    label: str
    at_most: int
    expected: int | None
    share: float | None = None
    sampled: int = 0
    last: bool = False
    until_read: bool = False
    waits: bool = False


def expect_steps(
    *, chain: Sequence[Mapping[str, Any]], message_class: str, masks: Mapping[int, int]
) -> list[StepOutlook]:
    """Return the outlook of each step of a chain of several, from the forecast's `masks`; one query."""
    if len(chain) < 2:
        return []
    shares = _shares(chain, message_class)
    at_most = [0] * len(chain)
    expected: list[float | None] = [0.0] * len(chain)
    for mask, people in masks.items():
        left: float | None = float(people)
        for place in range(len(chain)):
            if not mask & (1 << place):
                continue
            at_most[place] += people
            so_far = expected[place]
            expected[place] = None if left is None or so_far is None else so_far + left
            share = shares[place][0] if place in shares else None
            left = None if left is None or share is None else left * share
    return [
        StepOutlook(
            number=place + 1,
            label=channel_label(str(step["channel"])),
            at_most=at_most[place],
            expected=None if (hoped := expected[place]) is None else min(round(hoped), at_most[place]),
            share=shares[place][0] if place in shares else None,
            sampled=shares[place][1] if place in shares else 0,
            last=place + 1 == len(chain),
            until_read=until_of(dict(step)) == READ,
            waits=step.get("wait") is not None,
        )
        for place, step in enumerate(chain)
    ]


def _shares(chain: Sequence[Mapping[str, Any]], message_class: str) -> dict[int, tuple[float, int]]:
    """Return {place: (share that goes on, messages looked at)} of the steps that have a history."""
    steps = list(enumerate(chain))[:-1]
    values: dict[str, Any] = {
        "class": message_class,
        "places": [place for place, _step in steps],
        "channels": [str(step["channel"]) for _place, step in steps],
        "waits": [step.get("wait") for _place, step in steps],
        "reads": [until_of(dict(step)) == READ for _place, step in steps],
    }
    with connection.cursor() as cursor:
        cursor.execute(_SHARES, values)
        return {place: (on / seen, seen) for place, seen, on in cursor.fetchall() if seen >= ENOUGH}
