"""News from the apps below."""

from typing import Any

from feedback.services.holds import ORIGIN
from feedback.services.merging import follow_merge, follow_unmerge
from feedback.services.replies import settle_replies
from notifyhub.customers.signals import customers_merged, customers_unmerged
from notifyhub.messaging.signals import deliveries_settled


def _on_settled(dispatch_id: int, origin_kind: str, **kwargs: Any) -> None:
    # Every window of a campaign comes by here.
    if origin_kind == ORIGIN:
        settle_replies(dispatch_ids=[dispatch_id])


def _on_merged(kept_id: int, merged_id: int, **kwargs: Any) -> None:
    follow_merge(kept_id=kept_id, merged_id=merged_id)


def _on_unmerged(kept_id: int, merged_id: int, **kwargs: Any) -> None:
    follow_unmerge(kept_id=kept_id, merged_id=merged_id)


def connect() -> None:
    """Listen; each piece of news may come late, twice or never."""
    deliveries_settled.connect(_on_settled, dispatch_uid="feedback.settled")
    customers_merged.connect(_on_merged, dispatch_uid="feedback.merged")
    customers_unmerged.connect(_on_unmerged, dispatch_uid="feedback.unmerged")
