"""What providers report later, and what a person decides about a message in doubt."""

from notifyhub.messaging.services.receipts.deciding import settle_unknown
from notifyhub.messaging.services.receipts.merging import REPORTED, Receipt, merge, record_receipts

__all__ = ["REPORTED", "Receipt", "merge", "record_receipts", "settle_unknown"]
