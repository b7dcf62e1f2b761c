"""The circuit of an account: it opens when the account fails, and one message at a time tries it again.

Only what an account does counts, never a recipient's refusal; that it does not say what became of a message
too, or a server that falls silent would leave a whole campaign in doubt. Five troubles in a row open the
circuit, or a fifth of at least twenty answers within a minute, or a vendor that tells the whole account to
wait.
"""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from notifyhub.messaging.channels.base import LEASE_LOST, Result
from notifyhub.messaging.engine.accounts.bucket import claim_answers, remember_answers, was_healthy
from notifyhub.messaging.engine.accounts.minute import SLOT, added, rolled, total
from notifyhub.messaging.engine.accounts.serving import who_serves
from notifyhub.messaging.engine.alarms import tell_operations, withdraw_notice

logger = logging.getLogger(__name__)

FAILURES_TO_OPEN = 5
ANSWERS_TO_JUDGE = 20
TROUBLE_PERCENT = 20
# How long an open circuit rests before a message tries it.
OPEN_SECONDS = 30
LONGEST_REST = 3600.0

# One worker of many makes the probe: the row goes to half-open for one, the others see a circuit that
# stays shut for another while.
_PROBE = f"""
UPDATE messaging_accountgate SET circuit = 'half_open',
    retry_at = statement_timestamp() + interval '{OPEN_SECONDS} seconds'
WHERE account_id = %s AND circuit <> 'closed' AND retry_at <= statement_timestamp()
"""

# Good answers alone. Those of messages that were under way when the circuit opened do not close it, only
# those of a probe. Nothing is written for a healthy account. A rest that a vendor asked for and that was
# over soon is nobody's news.
_GOOD = f"""
WITH was AS (SELECT account_id, circuit, opened_at FROM messaging_accountgate WHERE account_id = %(account)s)
UPDATE messaging_accountgate g
SET circuit = 'closed', failures = 0, retry_at = NULL, opened_at = NULL, trouble = '',
    answers = CASE WHEN g.circuit = 'half_open' THEN array_fill(0, ARRAY[6]) ELSE g.answers END,
    troubles = CASE WHEN g.circuit = 'half_open' THEN array_fill(0, ARRAY[6]) ELSE g.troubles END
FROM was
WHERE g.account_id = was.account_id AND (g.circuit = 'half_open' OR g.circuit = 'closed' AND g.failures > 0)
RETURNING was.circuit = 'half_open'
    AND was.opened_at < statement_timestamp() - interval '{OPEN_SECONDS} seconds'
"""

_BAD = f"""
WITH now AS (
    SELECT g.account_id, g.circuit, {SLOT} AS slot,
           {added(rolled("answers"), "%(answers)s")} AS answers,
           {added(rolled("troubles"), "%(troubles)s")} AS troubles,
           CASE WHEN %(good)s > 0 THEN %(trailing)s ELSE g.failures + %(trailing)s END AS failures
    FROM messaging_accountgate g WHERE g.account_id = %(account)s FOR UPDATE OF g
), judged AS (
    SELECT now.*, now.circuit <> 'closed' OR now.failures >= {FAILURES_TO_OPEN} OR %(rest)s > 0
        OR ({total("now.answers")} >= {ANSWERS_TO_JUDGE}
            AND {total("now.troubles")} * 100 >= {TROUBLE_PERCENT} * {total("now.answers")}) AS opens
    FROM now
)
UPDATE messaging_accountgate g
SET slot = j.slot, answers = j.answers, troubles = j.troubles, failures = j.failures, trouble = %(trouble)s,
    circuit = CASE WHEN j.opens THEN 'open' ELSE g.circuit END,
    -- A vendor's wish stands; without one an open circuit rests for a while from now.
    retry_at = CASE WHEN NOT j.opens THEN g.retry_at
        WHEN %(rest)s > 0 THEN greatest(g.retry_at, statement_timestamp() + make_interval(secs => %(rest)s))
        ELSE greatest(g.retry_at, statement_timestamp() + interval '{OPEN_SECONDS} seconds') END,
    opened_at = CASE WHEN j.opens THEN coalesce(g.opened_at, statement_timestamp()) END
FROM judged j WHERE g.account_id = j.account_id
RETURNING j.opens AND j.circuit = 'closed' AND (%(rest)s = 0 OR %(rest)s >= {OPEN_SECONDS})
"""


def begin_probe(account_id: int) -> bool:
    """Say whether this worker may try the shut circuit of the account."""
    with connection.cursor() as cursor:
        cursor.execute(_PROBE, [account_id])
        return bool(cursor.rowcount)


def note_results(account_id: int, answers: Sequence[Result]) -> None:
    """Tell the circuit how the account answered a window; messages that were not offered do not count."""
    offered = [one for one in answers if one is not LEASE_LOST]
    bad = [one for one in offered if _is_trouble(one)]
    wishes = [one.retry_after for one in bad if one.retry_after]
    last = bad[-1] if bad else None
    try:
        note_troubles(
            account_id,
            [_is_trouble(one) for one in offered],
            rest=max(wishes, default=0.0),
            trouble=f"{last.code} {last.detail}".strip() if last else "",
        )
    except (OperationalError, InterfaceError) as error:
        # The window is settled; a count that is missed is made up for by the next window.
        logger.warning("The circuit of account %s could not be told (%s)", account_id, type(error).__name__)
        connection.close()


def _is_trouble(answer: Result) -> bool:
    return answer.kind == "ambiguous" or (answer.kind == "transient" and answer.account_trouble)


def note_troubles(account_id: int, troubles: list[bool], *, rest: float = 0.0, trouble: str = "") -> None:
    """Tell the circuit, message by message, which of a window's failures were the account's.

    `rest` is for how many seconds the vendor asked the whole account to wait, `trouble` its words.
    """
    if not troubles:
        return
    count, healthy = sum(troubles), was_healthy(account_id)
    if not count:
        remember_answers(account_id, len(troubles))
        # What others noted since then is for the next window to clear.
        if not healthy:
            _note_good(account_id)
        return
    trailing = 0
    while trailing < len(troubles) and troubles[-1 - trailing]:
        trailing += 1
    values: dict[str, Any] = {
        "account": account_id,
        "answers": len(troubles) + claim_answers(account_id),
        "troubles": count,
        "good": len(troubles) - count,
        "trailing": trailing,
        "rest": min(rest, LONGEST_REST),
        "trouble": trouble.replace("\x00", "")[:200],
    }
    with connection.cursor() as cursor:
        cursor.execute(_BAD, values)
        row = cursor.fetchone()
    if row is not None and row[0]:
        _tell_opened(account_id, values["trouble"])


def _note_good(account_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_GOOD, {"account": account_id})
        row = cursor.fetchone()
    if row is not None and row[0]:
        claim_answers(account_id)
        _tell_closed(account_id)


def _name(account_id: int) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, channel FROM messaging_provideraccount WHERE id = %s", [account_id])
        row = cursor.fetchone()
    return row or (str(account_id), "")


def _tell_opened(account_id: int, trouble: str) -> None:
    withdraw_notice(dedup=f"circuit-closed-{account_id}")
    name, channel = _name(account_id)
    serving = who_serves([channel])[channel]
    logger.warning("The circuit of account %s opened: %s", name, trouble)
    tell_operations(
        title=format_lazy(_("Provider account {name} is cut off"), name=name),
        body=format_lazy(
            _("It did not answer as it should ({trouble}). {serving} One message at a time tries it again."),
            trouble=trouble or "—",
            serving=serving.words if channel else "",
        ),
        level="warning",
        dedup=f"circuit-open-{account_id}",
    )


def _tell_closed(account_id: int) -> None:
    withdraw_notice(dedup=f"circuit-open-{account_id}")
    name, _channel = _name(account_id)
    logger.warning("The circuit of account %s closed", name)
    tell_operations(
        title=format_lazy(_("Provider account {name} answers again"), name=name),
        body=_("Messages go through it as before."),
        dedup=f"circuit-closed-{account_id}",
    )
