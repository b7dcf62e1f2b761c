"""Which steps of a chain a person got no message of, and why not, as far as that can be said today.

Planning takes the first channel that passes and writes nothing of those before it: a row more for each of
them would double the ledger of a long chain. So the same gates are asked once more for this one person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine.gates import gates_for_named
from notifyhub.messaging.engine.plan_sql import judged_sql
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.services.chains.wording import channel_label
from notifyhub.messaging.services.grounds import Skip, grounds_of
from notifyhub.messaging.services.reasons import WORDS

HIGHEST_ID = 2**62

_PERSON = """
    SELECT coalesce(c.merged_into_id, c.id) AS customer_id, %(dedup_key)s::bigint AS dedup_key,
           coalesce(nullif(i.subject_ref, ''), %(subject)s::text) AS subject_ref, c.time_zone,
           w.id AS contact_wanted, w.kind AS kind_wanted
    FROM customers_customer c
    LEFT JOIN messaging_dispatchitem i
        ON %(items)s AND i.dispatch_id = %(dispatch)s AND i.item = %(dedup_key)s::bigint
    LEFT JOIN customers_contactpoint w ON w.id = i.contact_id
    WHERE c.id = %(customer)s"""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A step without a message: its place from 1, its channel, and why, as of now."""

    number: int
    label: str
    why: str
    # Stands among the messages of the other steps.
    delivery: None = None


def steps_left_out(*, dispatch: Dispatch, rows: Sequence[Delivery]) -> list[LeftOut]:
    """Return the steps before the last of these messages of one person that have none. One statement, and
    one more for what stands behind each."""
    taken = {row.step for row in rows}
    missing = [place for place in range(max(taken, default=0)) if place not in taken]
    if not missing:
        return []
    row = rows[-1]
    now = timezone.now()
    found = []
    for place, (reason, contact_id) in _judge(dispatch, row, missing).items():
        channel = str(dispatch.chain[place]["channel"])
        skip = Skip(reason=reason, channel=channel, at=now, contact_id=contact_id)
        why = grounds_of(dispatch, row, skip) or str(WORDS.get(reason, ("", ""))[0])
        found.append(LeftOut(number=place + 1, label=channel_label(channel), why=_sentence(reason, why)))
    return found


def _sentence(reason: str, why: str) -> str:
    if not reason:
        return _("As of now they could be reached over it; when it was planned they could not.")
    return _("As of now: %s.") % (why or reason)


def _judge(dispatch: Dispatch, row: Delivery, places: Sequence[int]) -> dict[int, tuple[str, int | None]]:
    """Return {place: (reason, contact point)} by the gates as they stand now; "" if they pass."""
    try:
        gates = gates_for_named(dispatch)
    except Refused:
        return {}
    chosen = replace(gates, channels=tuple(gates.channels[place] for place in places))
    judged, params = judged_sql(chosen, low=-1, high=HIGHEST_ID, earlier=False, people=_PERSON)
    values: dict[str, Any] = {
        **params,
        "items": dispatch.audience.get("kind") == "items",
        "customer": row.customer_id,
        "dedup_key": row.dedup_key,
    }
    table = "steps" if len(places) > 1 else "chosen"
    with connection.cursor() as cursor:
        cursor.execute(f"{judged} SELECT place, reason, contact_id FROM {table} ORDER BY place", values)
        return {places[place]: (reason, contact) for place, reason, contact in cursor.fetchall()}
