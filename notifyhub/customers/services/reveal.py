"""Showing a masked phone or email in full: with a reason, counted, on record."""

from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint
from notifyhub.staff.models import AuditEntry, User
from notifyhub.staff.services import audit

PER_HOUR = 30
VERB = "reveal_contact"


@transaction.atomic
def reveal_contact(*, user: User, contact_id: int, reason: str) -> str:
    """Return the contact point in full and put on record who looked and why.

    Raises Refused without the permission or a reason, and beyond 30 in an hour.
    """
    if not user.has_perm("customers.reveal_customer"):
        raise Refused(_("You may not reveal phone numbers and mailboxes."), code="forbidden")
    if len(reason.strip()) < 4:
        raise Refused(_("Give a reason of a few words; it is kept in the audit trail."), field="reason")
    with connection.cursor() as cursor:
        # Two reveals of one person wait for each other, else both could count 29.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('reveal_contact'), %s)", [user.pk % 2**31])
    recent = AuditEntry.objects.filter(
        actor_kind="staff", actor_id=user.pk, verb=VERB, at__gt=timezone.now() - timedelta(hours=1)
    )
    if recent.count() >= PER_HOUR:
        raise Refused(
            _("You have revealed %d contact points within an hour. Go on later, or ask your lead.")
            % PER_HOUR,
            code="limit",
        )
    contact = ContactPoint.objects.filter(pk=contact_id).first()
    if contact is None:
        raise Refused(_("This contact point is gone. Reload the page."))
    audit.record(
        verb=VERB,
        object_type="customers.customer",
        object_id=contact.customer_id,
        label=f"#{contact.customer_id}",
        reason=reason.strip(),
        kind=contact.kind,
        contact=contact.pk,
    )
    return str(contact.value)
