"""How digests hang together with the rest: what they say, when they stop, what befalls their customers."""

from datetime import datetime
from typing import Any

from notifyhub.customers.signals import customers_merged
from notifyhub.messaging.engine.digest import ORIGIN, digest_variables, nothing_left
from notifyhub.messaging.registry import item_variables, stop_conditions
from notifyhub.messaging.services.digests.standing import cancel_overdue, follow_merge
from notifyhub.messaging.signals import overdue_cancelled


def on_merge(kept_id: int, merged_id: int, **kwargs: Any) -> None:
    """Receiver: what waits for the merged customer, and what they wished, is the kept one's."""
    follow_merge(kept_id=kept_id, merged_id=merged_id)


def on_overdue_cancelled(before: datetime, **kwargs: Any) -> None:
    """Receiver: what would have gone before a restore is given up with everything else."""
    cancel_overdue(before=before)


def register() -> None:
    """Hand the roads to the registries."""
    item_variables.register(ORIGIN, digest_variables)
    stop_conditions.register(ORIGIN, nothing_left)
    customers_merged.connect(on_merge, dispatch_uid="messaging.digests")
    overdue_cancelled.connect(on_overdue_cancelled, dispatch_uid="messaging.digests")
