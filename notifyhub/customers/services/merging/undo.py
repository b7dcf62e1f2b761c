"""Undoing a merge: what moved goes back, what came later stays."""

from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer, Merge
from notifyhub.customers.services.merging import consents
from notifyhub.customers.services.traits import renew_portraits
from notifyhub.customers.signals import customers_unmerged
from notifyhub.staff.services import audit

TABLES = {
    "orders": "customers_order",
    "events": "customers_event",
    "holds": "customers_hold",
    "members": "customers_segmentmember",
    "aliases": "customers_alias",
    "watch_sightings": "customers_watchsighting",
    "watch_findings": "customers_watchfinding",
    "alert_events": "customers_alertevent",
}
CONTACTS = """
UPDATE customers_contactpoint p SET customer_id = %(merged)s, "primary" = back.was
FROM unnest(%(ids)s::bigint[], %(was)s::boolean[]) AS back(id, was)
WHERE p.id = back.id AND p.customer_id = %(kept)s
"""


@transaction.atomic
def undo_merge(*, merge_id: int) -> Merge:
    """Make two customers of one again and return the record; raise Refused where that cannot be done.

    Orders, events and words that came after the merge stay with the kept customer.
    """
    merge = Merge.objects.select_for_update().filter(pk=merge_id).first()
    if merge is None or merge.undone_at:
        raise Refused(_("This merge was undone already."))
    pair = Customer.objects.select_for_update().order_by("pk").in_bulk([merge.kept_id, merge.merged_id])
    kept, merged = pair[merge.kept_id], pair[merge.merged_id]
    if kept.state != Customer.State.ACTIVE or merged.merged_into_id != kept.pk:
        raise Refused(_("One of the two was merged again or erased since. Undo the later merge first."))
    moved: dict[str, Any] = merge.moved
    ids = {"kept": kept.pk, "merged": merged.pk}
    with connection.cursor() as cursor:
        for name, table in TABLES.items():
            cursor.execute(
                f"UPDATE {table} SET customer_id = %(merged)s"
                " WHERE customer_id = %(kept)s AND id = ANY(%(ids)s::bigint[])",
                {**ids, "ids": moved.get(name, [])},
            )
        pairs = moved["contacts"]
        cursor.execute(
            CONTACTS, {**ids, "ids": [pk for pk, _was in pairs], "was": [was for _pk, was in pairs]}
        )
    consents.give_back(kept_id=kept.pk, merged_id=merged.pk, merge_id=merge.pk, moved=moved["consents"])
    _give_back_fields(kept, merged, moved["fields"])
    renew_portraits(ids=[kept.pk, merged.pk])
    Merge.objects.filter(pk=merge.pk).update(undone_at=timezone.now())
    audit.record(verb="undo_merge", obj=kept, label=f"#{kept.pk}", merged=merged.pk, merge=merge.pk)
    transaction.on_commit(
        partial(customers_unmerged.send_robust, sender=Merge, kept_id=kept.pk, merged_id=merged.pk)
    )
    merge.refresh_from_db()
    return merge


def _give_back_fields(kept: Customer, merged: Customer, filled: dict[str, Any]) -> None:
    """Take out what the merge filled in, where nobody wrote something else since."""
    changes: dict[str, Any] = {
        name: "" for name in filled["filled"] if getattr(kept, name) == getattr(merged, name)
    }
    changes["tags"] = [tag for tag in kept.tags if tag not in filled["tags"]]
    changes["attributes"] = {
        key: value
        for key, value in kept.attributes.items()
        if key not in filled["attributes"] or value != merged.attributes.get(key)
    }
    stored = filled["last_order_at"]
    if kept.last_order_at == merged.last_order_at:
        changes["last_order_at"] = parse_datetime(stored) if stored else None
    changes["provisional"] = filled["provisional"]
    now = timezone.now()
    back: dict[str, Any] = {}
    if filled["external_id"]:
        back["external_id"], changes["external_id"] = kept.external_id, None
    Customer.objects.filter(pk=kept.pk).update(**changes, version=F("version") + 1, updated_at=now)
    Customer.objects.filter(pk=merged.pk).update(
        state=Customer.State.ACTIVE, merged_into=None, version=F("version") + 1, updated_at=now, **back
    )
