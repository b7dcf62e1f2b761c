"""The token bucket: how many messages an account may take now, over all workers and restarts."""

from collections import defaultdict

from notifyhub.messaging.engine.accounts.minute import SLOT, added, rolled
from notifyhub.messaging.engine.statements import LAZY_COMMIT, prepared

# A bucket that forgets the last instant when the database loses power does no harm.
_TAKE = f"""
WITH now AS (
    SELECT g.account_id, least(a.rate_per_second, g.tokens + a.rate_per_second *
               extract(epoch FROM clock_timestamp() - g.refilled_at)) AS tokens,
           {SLOT} AS slot, {rolled("answers")} AS answers, {rolled("troubles")} AS troubles
    FROM messaging_accountgate g JOIN messaging_provideraccount a ON a.id = g.account_id
    WHERE g.account_id = %(account)s FOR UPDATE OF g
), taken AS (
    SELECT now.*, least(%(wanted)s, greatest(floor(tokens), 0)) AS n FROM now
)
UPDATE messaging_accountgate g
SET tokens = taken.tokens - taken.n, refilled_at = clock_timestamp(), slot = taken.slot,
    answers = {added("taken.answers", "%(answers)s::int")}, troubles = taken.troubles
FROM taken, (SELECT {LAZY_COMMIT} AS commit) AS quick
WHERE g.account_id = taken.account_id
RETURNING taken.n, g.circuit = 'closed' AND g.failures = 0, quick.commit
"""

_NEW_GATE = """
INSERT INTO messaging_accountgate (account_id, tokens, refilled_at, circuit, failures)
SELECT id, rate_per_second, clock_timestamp(), 'closed', 0 FROM messaging_provideraccount WHERE id = %s
ON CONFLICT DO NOTHING
"""

# Good answers by account that the gate row has not been told yet: they ride along with the next tokens, so
# that a healthy account costs no statement more. A few are lost with a process, which harms nobody.
_untold: dict[int, int] = defaultdict(int)
# The accounts that had no trouble on record when tokens were last taken: good answers change nothing.
_healthy: set[int] = set()


def take_tokens(account_id: int, wanted: int) -> int:
    """Take up to `wanted` messages from the account's bucket; return how many were granted."""
    if wanted <= 0:
        return 0
    values = {"account": account_id, "wanted": wanted, "answers": claim_answers(account_id)}
    with prepared() as cursor:
        cursor.execute(_TAKE, values)
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_NEW_GATE, [account_id])
            cursor.execute(_TAKE, values)
            row = cursor.fetchone()
    if row and row[1]:
        _healthy.add(account_id)
    else:
        _healthy.discard(account_id)
    return int(row[0]) if row else 0


def was_healthy(account_id: int) -> bool:
    """Say whether the account had no trouble on record when this window's tokens were taken; said once."""
    known = account_id in _healthy
    _healthy.discard(account_id)
    return known


def remember_answers(account_id: int, count: int) -> None:
    """Keep good answers until the account's row is written anyway."""
    _untold[account_id] += count


def claim_answers(account_id: int) -> int:
    """Return the good answers that were kept, and forget them."""
    return _untold.pop(account_id, 0)
