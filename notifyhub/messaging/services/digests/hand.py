"""What staff may do with what waits: send it now, or drop it."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer
from notifyhub.customers.services.merging import person_ids
from notifyhub.messaging.models import DigestItem
from notifyhub.messaging.services.digests.closing import close_now
from notifyhub.staff.services import audit

State = DigestItem.State


def _waiting_ids(customer_id: int, ids: Sequence[int]) -> list[int]:
    rows = DigestItem.objects.filter(
        pk__in=ids, customer_id__in=person_ids(customer_id=customer_id), state=State.WAITING
    )
    found = list(rows.values_list("pk", flat=True))
    if not found:
        raise Refused(_("Nothing of this waits any more. Reload the page to see what became of it."))
    return found


@transaction.atomic
def send_waiting_now(*, customer_id: int, ids: Sequence[int]) -> int:
    """Close the bucket of these waiting messages of one customer before its time; return how many messages
    go on. What is no longer wanted is left out as ever. Raises Refused if none of them waits."""
    found = _waiting_ids(customer_id, ids)
    made = close_now(ids=found)
    audit.record(
        verb="send_digest_now", obj=Customer.objects.get(pk=customer_id), waiting=len(found), messages=made
    )
    return made


@transaction.atomic
def drop_waiting(*, customer_id: int, ids: Sequence[int], reason: str = "") -> int:
    """Leave these waiting messages of one customer out for good; return how many. Raises Refused if none of
    them waits."""
    found = _waiting_ids(customer_id, ids)
    rows = DigestItem.objects.filter(pk__in=found, state=State.WAITING)
    dropped = rows.update(state=State.DROPPED, reason=DigestItem.Reason.BY_STAFF, settled_at=timezone.now())
    audit.record(
        verb="drop_waiting_messages",
        obj=Customer.objects.get(pk=customer_id),
        reason=reason,
        messages=dropped,
    )
    return dropped
