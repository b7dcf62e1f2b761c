"""Who serves a channel now, and what waits on it: what people are told when an account is cut off."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from notifyhub.customers.models.consent import Channel

# Batches hold 500 messages each, so what waits is summed from few rows and never from the ledger.
_SERVING = """
SELECT c.channel, (
    SELECT a.name FROM messaging_provideraccount a LEFT JOIN messaging_accountgate g ON g.account_id = a.id
    WHERE a.channel = c.channel AND a.active AND coalesce(g.circuit, 'closed') = 'closed'
      AND (a.backend <> 'sandbox' OR NOT EXISTS (
          SELECT 1 FROM messaging_provideraccount o
          WHERE o.channel = c.channel AND o.active AND o.backend <> 'sandbox'))
      AND NOT EXISTS (SELECT 1 FROM messaging_halt t
                      WHERE t.lifted_at IS NULL AND t.scope = 'account' AND t.value = a.id::text)
    ORDER BY a.priority, a.id LIMIT 1
), coalesce((
    SELECT sum(CASE WHEN b.ids IS NULL THEN b.hi - b.cursor ELSE cardinality(b.ids) END)
    FROM messaging_batch b JOIN messaging_dispatch j ON j.id = b.dispatch_id
    WHERE b.state IN (0, 1) AND b.channel = c.channel AND j.state = 'running'
), 0)::bigint
FROM unnest(%s::text[]) AS c(channel)
"""


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The account that messages of a channel go through now, "" for none, and how many wait."""

    channel: str
    account: str
    waiting: int

    @property
    def words(self) -> Any:
        """Say it in a sentence, in the language of whoever reads it."""
        label = Channel(self.channel).label
        if self.account:
            return format_lazy(_("{channel} goes through {name} now."), channel=label, name=self.account)
        if not self.waiting:
            return format_lazy(_("No other account serves {channel}; nothing waits yet."), channel=label)
        return format_lazy(
            ngettext_lazy(
                "No other account serves {channel}: {n} message waits.",
                "No other account serves {channel}: {n} messages wait.",
                self.waiting,
            ),
            channel=label,
            n=f"{self.waiting:,}",
        )


def who_serves(channels: Collection[str]) -> dict[str, Serving]:
    """Return who serves each of these channels now, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_SERVING, [sorted(set(channels))])
        rows = cursor.fetchall()
    return {row[0]: Serving(channel=row[0], account=row[1] or "", waiting=row[2]) for row in rows}
