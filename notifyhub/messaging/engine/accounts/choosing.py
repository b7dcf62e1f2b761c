"""The active accounts of each channel, and which of them a message goes through now."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from notifyhub.core import crypto
from notifyhub.messaging.engine.judge import ACCOUNT_FAILED, IN_DOUBT
from notifyhub.messaging.engine.statements import prepared

# The sandbox rows stand behind every other account and count only while there is none.
SANDBOX = "sandbox"

_ACCOUNTS = """
SELECT a.id, a.name, a.channel, a.backend, a.config, a.secrets, a.version, a.priority,
       coalesce(g.circuit, 'closed') AS circuit,
       coalesce(g.circuit = 'closed' OR g.retry_at <= statement_timestamp(), TRUE) AND NOT EXISTS (
           SELECT 1 FROM messaging_halt t
           WHERE t.lifted_at IS NULL AND t.scope = 'account' AND t.value = a.id::text) AS usable,
       coalesce(least(a.rate_per_second, g.tokens + a.rate_per_second *
           extract(epoch FROM statement_timestamp() - g.refilled_at)), a.rate_per_second) AS tokens
FROM messaging_provideraccount a LEFT JOIN messaging_accountgate g ON g.account_id = a.id
WHERE a.active ORDER BY a.channel, a.priority, a.id
"""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A configured account as the transport sees it. `successor` says that another usable one of the
    channel stands behind it, for messages that this one certainly does not take."""

    id: int
    name: str
    channel: str
    backend: str
    version: int
    settings: dict[str, Any] = field(repr=False)
    successor: bool = False


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
        with prepared() as cursor:
            cursor.execute(_ACCOUNTS)
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        real = {row["channel"] for row in rows if row["backend"] != SANDBOX}
        self._ranked: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            if row["backend"] != SANDBOX or row["channel"] not in real:
                self._ranked[row["channel"]].append(row)
        self._known: dict[tuple[str, int | None, int | None], Choice] = {}

    def choose(self, channel: str, *, avoid: int | None = None, keep: int | None = None) -> Choice:
        """Return what `channel` is sent through; no account and not blocked means there is none at all.

        `avoid` is the account that certainly failed this message before: the one behind it is preferred, and
        itself comes last. `keep` is the only one that may send this message: an earlier try through it may
        have arrived.
        """
        asked = (channel, avoid, keep)
        if asked not in self._known:
            self._known[asked] = self._choose(*asked)
        return self._known[asked]

    def choose_for(self, row: dict[str, Any]) -> Choice:
        """Return what a row of the ledger is sent through, in view of what was tried before."""
        if row["mark"] == ACCOUNT_FAILED:
            return self.choose(row["channel"], avoid=row["account_id"])
        if row["mark"] in IN_DOUBT:
            return self.choose(row["channel"], keep=row["account_id"])
        return self.choose(row["channel"])

    def blocked_channels(self) -> list[str]:
        """Return the channels whose accounts all have a shut circuit or an empty bucket."""
        return [channel for channel in self._ranked if self.choose(channel).blocked]

    def shut_channels(self) -> list[str]:
        """Return the channels for which only time helps: all circuits are shut."""
        return [channel for channel in self._ranked if self.choose(channel).shut]

    def _choose(self, channel: str, avoid: int | None, keep: int | None) -> Choice:
        ranked = self._ranked.get(channel, [])
        numbers = [row["id"] for row in ranked]
        order = list(range(len(ranked)))
        if keep is not None:
            order = [numbers.index(keep)] if keep in numbers else []
        elif avoid in numbers:
            behind = numbers.index(avoid) + 1
            order = order[behind:] + order[:behind]
        waiting: int | None = None
        for place in order:
            row = ranked[place]
            if not row["usable"]:
                continue
            if waiting is not None and row["priority"] != waiting:
                # An empty bucket fills within a second: only equals share, a spare is for failures.
                break
            if row["tokens"] >= 1:
                successor = any(other["usable"] for other in ranked[place + 1 :])
                return Choice(account=_account(row, successor), probe=row["circuit"] != "closed")
            waiting = row["priority"]
        return Choice(blocked=bool(order), shut=bool(order) and waiting is None)


def _account(row: dict[str, Any], successor: bool) -> Account:
    return Account(
        id=row["id"],
        name=row["name"],
        channel=row["channel"],
        backend=row["backend"],
        version=row["version"],
        settings=_settings(row["config"], row["secrets"]),
        successor=successor,
    )


def _settings(config: Any, secrets: Any) -> dict[str, Any]:
    settings = json.loads(config) if isinstance(config, str | bytes) else dict(config or {})
    if secrets is not None:
        settings |= json.loads(crypto.decrypt(bytes(secrets)) or "{}")
    return settings
