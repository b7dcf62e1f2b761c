"""Which account a message goes through: priority, circuit, token bucket.

The bucket and the circuit of an account are one row that all workers share. Each touch of it is a statement
of its own outside any longer transaction: a lock held for a window would put the workers in a queue.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from notifyhub.core import crypto

# So many failures of the account in a row open the circuit, for so long.
FAILURES_TO_OPEN = 5
OPEN_SECONDS = 30

# The sandbox rows stand behind every other account and count only while there is none.
SANDBOX = "sandbox"

_ACCOUNTS = """
SELECT a.id, a.name, a.channel, a.backend, a.config, a.secrets, a.version, a.rate_per_second,
       coalesce(g.circuit, 'closed'),
       coalesce(g.circuit = 'closed' OR g.retry_at <= statement_timestamp(), TRUE),
       coalesce(least(a.rate_per_second, g.tokens + a.rate_per_second *
           extract(epoch FROM statement_timestamp() - g.refilled_at)), a.rate_per_second)
FROM messaging_provideraccount a LEFT JOIN messaging_accountgate g ON g.account_id = a.id
WHERE a.active ORDER BY a.channel, (a.backend = 'sandbox'), a.priority, a.id
"""

_TAKE = """
WITH now AS (
    SELECT g.account_id, least(a.rate_per_second, g.tokens + a.rate_per_second *
               extract(epoch FROM clock_timestamp() - g.refilled_at)) AS tokens
    FROM messaging_accountgate g JOIN messaging_provideraccount a ON a.id = g.account_id
    WHERE g.account_id = %(account)s FOR UPDATE OF g
), taken AS (
    SELECT account_id, tokens, least(%(wanted)s, greatest(floor(tokens), 0)) AS n FROM now
)
UPDATE messaging_accountgate g SET tokens = taken.tokens - taken.n, refilled_at = clock_timestamp()
FROM taken WHERE g.account_id = taken.account_id RETURNING taken.n
"""

_NEW_GATE = """
INSERT INTO messaging_accountgate (account_id, tokens, refilled_at, circuit, failures)
SELECT id, rate_per_second, clock_timestamp(), 'closed', 0 FROM messaging_provideraccount WHERE id = %s
ON CONFLICT DO NOTHING
"""

# One worker of many makes the probe: the row goes to half-open for one, the others see a circuit that
# stays shut for another while.
_PROBE = f"""
UPDATE messaging_accountgate SET circuit = 'half_open',
    retry_at = statement_timestamp() + interval '{OPEN_SECONDS} seconds'
WHERE account_id = %s AND circuit <> 'closed' AND retry_at <= statement_timestamp()
"""

_SUCCESS = """
UPDATE messaging_accountgate SET circuit = 'closed', failures = %(failures)s, retry_at = NULL
WHERE account_id = %(account)s AND (circuit <> 'closed' OR failures <> %(failures)s)
"""

_FAILURE = f"""
UPDATE messaging_accountgate
SET failures = failures + %(failures)s,
    circuit = CASE WHEN circuit <> 'closed' OR failures + %(failures)s >= {FAILURES_TO_OPEN}
                   THEN 'open' ELSE circuit END,
    retry_at = CASE WHEN circuit <> 'closed' OR failures + %(failures)s >= {FAILURES_TO_OPEN}
                    THEN statement_timestamp() + interval '{OPEN_SECONDS} seconds' ELSE retry_at END
WHERE account_id = %(account)s
RETURNING circuit
"""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A configured account as the transport sees it."""

    id: int
    name: str
    channel: str
    backend: str
    version: int
    settings: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The account for a channel now. Without one, `blocked` tells that there are accounts but none usable:
    `shut` by their circuits, or else out of tokens for a moment. `probe` asks for a single message to try a
    shut circuit with."""

    account: Account | None = None
    blocked: bool = False
    shut: bool = False
    probe: bool = False


class Accounts:
    """The active accounts by channel as they were when it was made; made anew for every lease."""

    def __init__(self) -> None:
        self._choices: dict[str, Choice] = {}
        with connection.cursor() as cursor:
            cursor.execute(_ACCOUNTS)
            rows = cursor.fetchall()
        real = {row[2] for row in rows if row[3] != SANDBOX}
        for row in rows:
            channel, backend = row[2], row[3]
            if backend == SANDBOX and channel in real:
                continue
            circuit, usable, tokens = row[8], row[9], row[10]
            standing = self._choices.get(channel)
            if standing is not None and standing.account is not None:
                continue
            if usable and tokens >= 1:
                account = Account(
                    id=row[0],
                    name=row[1],
                    channel=channel,
                    backend=backend,
                    version=row[6],
                    settings=_settings(row[4], row[5]),
                )
                self._choices[channel] = Choice(account=account, probe=circuit != "closed")
            else:
                shut = not usable and (standing is None or standing.shut)
                self._choices[channel] = Choice(blocked=True, shut=shut)

    def choose(self, channel: str, *, avoid: int | None = None) -> Choice:
        """Return what `channel` is sent through; no account and not blocked means there is none at all.

        `avoid` is the account that certainly failed this message before: another one is preferred.
        """
        return self._choices.get(channel, Choice())

    def blocked_channels(self) -> list[str]:
        """Return the channels whose accounts all have a shut circuit or an empty bucket."""
        return [channel for channel, choice in self._choices.items() if choice.blocked]

    def shut_channels(self) -> list[str]:
        """Return the channels for which only time helps: all circuits are shut."""
        return [channel for channel, choice in self._choices.items() if choice.shut]


def _settings(config: Any, secrets: Any) -> dict[str, Any]:
    settings = json.loads(config) if isinstance(config, str | bytes) else dict(config or {})
    if secrets is not None:
        settings |= json.loads(crypto.decrypt(bytes(secrets)) or "{}")
    return settings


def take_tokens(account_id: int, wanted: int) -> int:
    """Take up to `wanted` messages from the account's bucket; return how many were granted."""
    if wanted <= 0:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"account": account_id, "wanted": wanted})
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_NEW_GATE, [account_id])
            cursor.execute(_TAKE, {"account": account_id, "wanted": wanted})
            row = cursor.fetchone()
    return int(row[0]) if row else 0


def begin_probe(account_id: int) -> bool:
    """Say whether this worker may try the shut circuit of the account."""
    with connection.cursor() as cursor:
        cursor.execute(_PROBE, [account_id])
        return bool(cursor.rowcount)


def note_results(account_id: int, troubles: list[bool]) -> None:
    """Tell the circuit, message by message, which of a window's failures were the account's."""
    if not troubles:
        return
    trailing = 0
    while trailing < len(troubles) and troubles[-1 - trailing]:
        trailing += 1
    with connection.cursor() as cursor:
        if trailing == len(troubles):
            cursor.execute(_FAILURE, {"account": account_id, "failures": trailing})
        else:
            cursor.execute(_SUCCESS, {"account": account_id, "failures": min(trailing, FAILURES_TO_OPEN - 1)})
