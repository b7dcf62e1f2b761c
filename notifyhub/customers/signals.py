"""News of this app for the apps above; hints with ids, sent after commit."""

from django.dispatch import Signal

# customers_merged: kept_id, merged_id. customers_unmerged: the same, when the merge was undone.
customers_merged = Signal()
customers_unmerged = Signal()

# customers_upserted: ids of customers that were created or changed (by import, API, events or by hand).
customers_upserted = Signal()

# events_recorded: events, a mapping of each event's name to the ids of the new ones. A hint: whoever must not
# miss one follows them by a bookmark as well (services.events.following).
events_recorded = Signal()
