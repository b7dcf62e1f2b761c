"""Merging: what the second row owns moves to the first, and the list of it is kept for the way back."""

from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer, Merge
from notifyhub.customers.services.merging import consents
from notifyhub.customers.services.traits import renew_portraits
from notifyhub.customers.signals import customers_merged
from notifyhub.staff.models import User
from notifyhub.staff.services import audit

# Each statement returns the ids it moved. What the kept customer has already stays where it is.
MOVES = {
    "orders": "UPDATE customers_order SET customer_id = %(kept)s WHERE customer_id = %(merged)s RETURNING id",
    "events": "UPDATE customers_event SET customer_id = %(kept)s WHERE customer_id = %(merged)s RETURNING id",
    "holds": "UPDATE customers_hold SET customer_id = %(kept)s WHERE customer_id = %(merged)s RETURNING id",
    "aliases": """
        UPDATE customers_alias SET customer_id = %(kept)s WHERE customer_id = %(merged)s RETURNING id""",
    "watch_sightings": """
        UPDATE customers_watchsighting SET customer_id = %(kept)s
        WHERE customer_id = %(merged)s RETURNING id""",
    "watch_findings": """
        UPDATE customers_watchfinding SET customer_id = %(kept)s
        WHERE customer_id = %(merged)s RETURNING id""",
    "alert_events": """
        UPDATE customers_alertevent SET customer_id = %(kept)s WHERE customer_id = %(merged)s RETURNING id""",
    "members": """
        UPDATE customers_segmentmember m SET customer_id = %(kept)s WHERE customer_id = %(merged)s
        AND NOT EXISTS (SELECT 1 FROM customers_segmentmember k
                        WHERE k.customer_id = %(kept)s AND k.segment_id = m.segment_id)
        RETURNING id""",
}
# A moved contact point becomes the primary one only where the kept customer has none of its kind.
CONTACTS = """
WITH moving AS (
    SELECT p.id, p."primary" AS was,
        p."primary" AND NOT EXISTS (
            SELECT 1 FROM customers_contactpoint k
            WHERE k.customer_id = %(kept)s AND k.kind = p.kind AND k."primary") AS will
    FROM customers_contactpoint p
    WHERE p.customer_id = %(merged)s AND NOT EXISTS (
        SELECT 1 FROM customers_contactpoint k
        WHERE k.customer_id = %(kept)s AND k.kind = p.kind AND k.value_hash = p.value_hash)
)
UPDATE customers_contactpoint p SET customer_id = %(kept)s, "primary" = moving.will
FROM moving WHERE p.id = moving.id RETURNING p.id, moving.was
"""


@transaction.atomic
def merge_customers(*, kept_id: int, merged_id: int, user: User | None = None) -> Merge:
    """Move everything of one customer to the other and return the record of it.

    Of two different consents the stricter one wins. Raises Refused unless both are active and two.
    """
    if kept_id == merged_id:
        raise Refused(_("Choose two different customers."))
    pair = Customer.objects.select_for_update().order_by("pk").in_bulk([kept_id, merged_id])
    if len(pair) != 2 or any(row.state != Customer.State.ACTIVE for row in pair.values()):
        raise Refused(
            _("Only two active customers can be merged. Reload the page to see what became of them.")
        )
    kept, merged = pair[kept_id], pair[merged_id]
    moved: dict[str, Any] = {}
    with connection.cursor() as cursor:
        for name, statement in MOVES.items():
            cursor.execute(statement, {"kept": kept_id, "merged": merged_id})
            moved[name] = [row[0] for row in cursor.fetchall()]
        cursor.execute(CONTACTS, {"kept": kept_id, "merged": merged_id})
        moved["contacts"] = [[pk, was] for pk, was in cursor.fetchall()]
    merge = Merge.objects.create(kept=kept, merged=merged, by=user)
    moved["consents"] = consents.take_over(kept_id=kept_id, merged_id=merged_id, merge_id=merge.pk)
    moved["fields"] = _take_over_fields(kept, merged)
    renew_portraits(ids=[kept_id, merged_id])
    Merge.objects.filter(pk=merge.pk).update(moved=moved)
    audit.record(
        verb="merge_customers",
        obj=kept,
        label=f"#{kept_id}",
        merged=merged_id,
        merge=merge.pk,
        moved={name: len(ids) for name, ids in moved.items()},
    )
    transaction.on_commit(
        partial(customers_merged.send_robust, sender=Merge, kept_id=kept_id, merged_id=merged_id)
    )
    merge.refresh_from_db()
    return merge


def _take_over_fields(kept: Customer, merged: Customer) -> dict[str, Any]:
    """Fill what the kept row lacks; return names only: the values stay on the merged row."""
    filled: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    for name in ("name", "city"):
        if not getattr(kept, name) and getattr(merged, name):
            changes[name] = getattr(merged, name)
    filled["filled"] = sorted(changes)
    filled["tags"] = [tag for tag in merged.tags if tag not in kept.tags]
    filled["attributes"] = [key for key in merged.attributes if key not in kept.attributes]
    changes["tags"] = [*kept.tags, *filled["tags"]]
    changes["attributes"] = {**merged.attributes, **kept.attributes}
    filled["last_order_at"] = kept.last_order_at.isoformat() if kept.last_order_at else None
    dates = [row.last_order_at for row in (kept, merged) if row.last_order_at]
    changes["last_order_at"] = max(dates) if dates else None
    filled["provisional"] = kept.provisional
    changes["provisional"] = kept.provisional and merged.provisional
    now = timezone.now()
    # The platform's number goes along where the kept row has none, so that its events keep arriving.
    filled["external_id"] = not kept.external_id and bool(merged.external_id)
    gone: dict[str, Any] = {"external_id": None} if filled["external_id"] else {}
    if filled["external_id"]:
        changes["external_id"] = merged.external_id
    Customer.objects.filter(pk=merged.pk).update(
        state=Customer.State.MERGED, merged_into=kept, version=F("version") + 1, updated_at=now, **gone
    )
    Customer.objects.filter(pk=kept.pk).update(**changes, version=F("version") + 1, updated_at=now)
    return filled
