"""What messaging tells the apps above it: hints with ids, never the only road.

`deliveries_settled(dispatch_id, origin_kind, ids, state)` after each window; `dispatch_finished(dispatch_id)`
once.
`overdue_cancelled(before)` when a person gave up what was due before the restore of a backup.
"""

from django.dispatch import Signal

deliveries_settled = Signal()
dispatch_finished = Signal()
overdue_cancelled = Signal()
