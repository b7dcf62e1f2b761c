"""What providers report later or when they are asked, and what a person decides about a message in doubt."""

from notifyhub.messaging.services.receipts.addresses import is_right_address, receipt_address
from notifyhub.messaging.services.receipts.deciding import settle_unknown
from notifyhub.messaging.services.receipts.inbox import drop_old_receipts, match_receipts, store_reports
from notifyhub.messaging.services.receipts.lookups import look_up_due, look_up_unknown, may_look_up
from notifyhub.messaging.services.receipts.merging import REPORTED, Receipt, merge, record_receipts

__all__ = [
    "REPORTED",
    "Receipt",
    "drop_old_receipts",
    "is_right_address",
    "look_up_due",
    "look_up_unknown",
    "match_receipts",
    "may_look_up",
    "merge",
    "receipt_address",
    "record_receipts",
    "settle_unknown",
    "store_reports",
]
