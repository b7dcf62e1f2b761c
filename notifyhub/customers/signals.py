"""News of this app for the apps above; hints with ids, sent after commit."""

from django.dispatch import Signal

# customers_merged: kept_id, merged_id. customers_unmerged: the same, when the merge was undone.
customers_merged = Signal()
customers_unmerged = Signal()
