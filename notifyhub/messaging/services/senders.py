"""Sender identities: rows with a history, changed by operations."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.messaging.models import SenderIdentity
from notifyhub.staff.services import audit

IDENTITY = ("name", "channel", "from_name", "from_email", "reply_to", "signature", "classes", "active")


def _check_identity(fields: dict[str, Any]) -> None:
    if any(char in (fields.get("signature") or "") for char in "【】"):
        raise Refused(_("Write the signature without 【】; they are added."), field="signature")
    broken = [name for name in ("from_name", "signature") if not (fields.get(name) or "").isprintable()]
    if broken:
        raise Refused(_("This holds a character that cannot stand in a header."), field=broken[0])


@transaction.atomic
def create_identity(**fields: Any) -> SenderIdentity:
    """Create a sender identity and return it; raise Refused if its name is taken."""
    _check_identity(fields)
    try:
        with transaction.atomic():
            identity = SenderIdentity.objects.create(
                **{name: fields[name] for name in IDENTITY if name in fields}
            )
    except IntegrityError as error:
        raise Refused(_("Another sender identity has this name already."), field="name") from error
    audit.record(verb="create_identity", obj=identity, channel=identity.channel)
    return identity


@transaction.atomic
def update_identity(*, identity_id: int, changes: dict[str, Any], version: int | None) -> SenderIdentity:
    """Write the changed fields if the row still has `version`; return it. Raises Conflict otherwise."""
    identity = SenderIdentity.objects.select_for_update().get(pk=identity_id)
    _check_identity(changes)
    _write(identity, changes, version, IDENTITY)
    audit.record(verb="update_identity", obj=identity, fields=sorted(changes))
    return identity


def _write(row: Any, changes: dict[str, Any], version: int | None, editable: tuple[str, ...]) -> None:
    if version is not None and row.version != version:
        raise Conflict(
            _("Somebody changed this meanwhile. Your entries are kept; compare and save again."),
            current=row.version,
        )
    for name, value in changes.items():
        if name not in editable:
            raise Refused(_("These fields cannot be changed: %s") % name)
        setattr(row, name, value)
    row.version += 1
    try:
        with transaction.atomic():
            # save(), since the row keeps a history; it is locked and was read under the lock.
            row.save()
    except IntegrityError as error:
        raise Refused(_("Another sender identity has this name already."), field="name") from error
