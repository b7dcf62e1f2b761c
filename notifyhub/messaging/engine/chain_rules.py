"""When a step of the fallback chain has done its work, and when the next one is needed: data and SQL.

A step is met when its message was read, or delivered where the chain asks for no more (`until`). It has
certainly failed when it failed, bounced, or was skipped for a reason of its channel. What was handed over
waits for `wait` seconds; a step without `wait` gives way to certain failures only.
"""

from collections.abc import Sequence
from typing import Any

from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.models import ChannelPolicy, Delivery

State = Delivery.State
Reason = Delivery.Reason

DELIVERED, READ = "delivered", "read"
UNTIL = (DELIVERED, READ)
LONGEST_WAIT = 30 * 86400

# Another channel may well do. Left out: what holds for the person or the subject whatever the channel, and
# the row that kills its process, since it would kill on the next channel too.
OF_THE_CHANNEL = (
    Reason.NO_CONTACT,
    Reason.INVALID_CONTACT,
    Reason.NO_CONSENT,
    Reason.OPTED_OUT,
    Reason.SUPPRESSED,
    Reason.HOLD,
    Reason.CHANNEL_NOT_ALLOWED,
    Reason.NO_CONTENT,
    Reason.NO_ACCOUNT,
    Reason.NOT_ALLOW_LISTED,
)
CAPS = (Reason.CAP_DAY, Reason.CAP_WEEK)


def met_sql(chain: str, row: str = "e") -> str:
    """Return the condition that the message `row` has done the work of its step of the JSON `chain`."""
    return (
        f"({row}.read_at IS NOT NULL OR ({row}.state = {State.DELIVERED.value} AND "
        f"coalesce({chain} -> {row}.step::int ->> 'until', '{DELIVERED}') = '{DELIVERED}'))"
    )


# From when on the next step may follow row `d`: at once, after the wait, or never by itself (null). A
# vendor's clock may be behind ours, so no wait begins before the message was due.
DUE = f"""
    CASE
        WHEN d.state IN ({State.FAILED.value}, {State.BOUNCED.value}) AND d.reason <> '{Reason.POISON.value}'
            THEN '-infinity'::timestamptz
        WHEN d.state = {State.SKIPPED.value} AND d.reason = ANY(%(moves_on)s) THEN '-infinity'::timestamptz
        WHEN d.state IN ({State.SENT.value}, {State.DELIVERED.value})
            OR (d.state = {State.UNKNOWN.value} AND %(assured)s)
            THEN greatest(d.settled_at, d.send_at) + make_interval(secs => %(wait)s)
    END
"""


def reasons_to_move_on(*, message_class: str, channel: str) -> list[str]:
    """Return the reasons of a skip on this channel after which the next is tried.

    A cap counts where the channel has one of its own; else it is over all channels and stops the others too.
    """
    reasons = [reason.value for reason in OF_THE_CHANNEL]
    own = ChannelPolicy.objects.filter(policy__message_class=message_class, channel=channel)
    if own.exclude(cap_day=None, cap_week=None).exists():
        reasons += [reason.value for reason in CAPS]
    return reasons


def due_values(*, chain: Sequence[dict[str, Any]], step: int, message_class: str) -> dict[str, Any]:
    """Return the parameters of DUE for one step of a chain."""
    wait = chain[step].get("wait")
    return {
        "moves_on": reasons_to_move_on(message_class=message_class, channel=chain[step]["channel"]),
        # In doubt is perhaps delivered: classes that are sent once stop there.
        "assured": message_class in (MessageClass.TRANSACTIONAL, MessageClass.SERVICE),
        "wait": None if wait is None else float(wait),
    }
