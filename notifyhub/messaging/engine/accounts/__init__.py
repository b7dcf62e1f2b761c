"""Which account a message goes through: priority, failover, circuit, token bucket.

The bucket and the circuit of an account are one row that all workers share. Each touch of it is a statement
of its own outside any longer transaction: a lock held for a window would put the workers in a queue.
"""

from notifyhub.messaging.engine.accounts.bucket import take_tokens
from notifyhub.messaging.engine.accounts.choosing import SANDBOX, Account, Accounts, Choice
from notifyhub.messaging.engine.accounts.circuit import begin_probe, note_results, note_troubles

__all__ = [
    "SANDBOX",
    "Account",
    "Accounts",
    "Choice",
    "begin_probe",
    "note_results",
    "note_troubles",
    "take_tokens",
]
