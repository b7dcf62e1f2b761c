"""Contact points that must not be written to."""

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.contact import normalise_email, normalise_phone
from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint, Suppression
from notifyhub.customers.services import contacts
from notifyhub.staff.services import audit


@transaction.atomic
def suppress(
    *,
    kind: str,
    value_hash: bytes,
    masked: str,
    reason: str,
    scope: str = Suppression.Scope.ALL,
    note: str = "",
) -> Suppression:
    """Suppress a contact point by its hash and return the row; the one in force if there is one already."""
    if kind not in ContactPoint.Kind.values:
        raise Refused(_("Choose phone, email or another kind."), field="kind")
    if scope not in Suppression.Scope.values or reason not in Suppression.Reason.values:
        raise Refused(_("Choose what must not be sent, and why."), field="scope")
    standing = Suppression.objects.in_force().filter(kind=kind, value_hash=value_hash, scope=scope)
    try:
        with transaction.atomic():
            row = standing.first() or Suppression.objects.create(
                kind=kind,
                value_hash=value_hash,
                masked=masked,
                scope=scope,
                reason=reason,
                note=note.strip()[:200],
            )
    except IntegrityError:
        # Another process was first: the same fact, once.
        row = standing.get()
    _record("suppress", row, note)
    return row


def suppress_contact(
    *, kind: str, raw: str, scope: str, note: str, reason: str = Suppression.Reason.MANUAL
) -> Suppression:
    """Suppress the contact point that a person typed; raise Refused if it cannot be one."""
    contact = contacts.read_contact(kind=kind, raw=raw)
    return suppress(
        kind=kind,
        value_hash=contact.value_hash,
        masked=contact.masked,
        reason=reason,
        scope=scope,
        note=note,
    )


@transaction.atomic
def lift(*, suppression_id: int, reason: str) -> Suppression:
    """Allow writing again and return the row; raise Refused without a reason, or if it was lifted already."""
    if len(reason.strip()) < 3:
        raise Refused(_("Say why writing is allowed again."), field="reason")
    row = Suppression.objects.filter(pk=suppression_id).first()
    if row and row.reason == Suppression.Reason.ERASED:
        raise Refused(_("This person asked to be erased. Only their own new registration ends that."))
    if not Suppression.objects.in_force().filter(pk=suppression_id).update(lifted_at=timezone.now()):
        raise Refused(_("This suppression was lifted already."))
    row = Suppression.objects.get(pk=suppression_id)
    _record("lift_suppression", row, reason)
    return row


def find_suppressions(*, text: str, limit: int = 50) -> list[Suppression]:
    """Return the suppressions, lifted ones too, of the exact phone, mailbox or other value typed."""
    wanted = {kind: text.strip() for kind in ContactPoint.Kind.values}
    wanted[ContactPoint.Kind.EMAIL] = normalise_email(text) or ""
    wanted[ContactPoint.Kind.PHONE] = normalise_phone(text) or ""
    hashes = [contacts.value_hash(kind=kind, value=value) for kind, value in wanted.items() if value]
    return list(Suppression.objects.filter(value_hash__in=hashes).order_by("-id")[:limit])


def _record(verb: str, row: Suppression, reason: str) -> None:
    audit.record(
        verb=verb,
        obj=row,
        label=f"#{row.pk}",
        reason=reason.strip(),
        kind=row.kind,
        scope=row.scope,
        why=row.reason,
    )
