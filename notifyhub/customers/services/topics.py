"""Topics: what customers subscribe to."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import MessageClass, Topic
from notifyhub.staff.models import User
from notifyhub.staff.services import audit

TRANSACTIONAL = "customers.make_transactional_topic"
EDITABLE = ("name", "name_zh", "message_class", "legal_basis", "active")


def _check(user: User, message_class: str, legal_basis: str) -> None:
    # Nobody asks consent for transactional messages, so a topic of that class is a key to every mailbox.
    if message_class == MessageClass.TRANSACTIONAL and not user.has_perm(TRANSACTIONAL):
        raise Refused(_("Only operations may make a topic transactional."), field="message_class")
    if message_class == MessageClass.PROMOTIONAL and legal_basis != Topic.LegalBasis.CONSENT:
        raise Refused(_("Promotional messages rest on consent alone."), field="legal_basis")


@transaction.atomic
def create_topic(*, user: User, **fields: Any) -> Topic:
    """Create a topic and return it; raise Refused if the code is taken or the class is not the user's."""
    _check(user, fields["message_class"], fields["legal_basis"])
    try:
        with transaction.atomic():
            topic = Topic.objects.create(**fields)
    except IntegrityError as error:
        raise Refused(_("Another topic has this code already."), field="code") from error
    audit.record(verb="create_topic", obj=topic, message_class=topic.message_class)
    return topic


@transaction.atomic
def update_topic(*, user: User, topic_id: int, changes: dict[str, Any], version: int | None) -> Topic:
    """Write the changed fields if the row still has `version`; return it. The code never changes."""
    topic = Topic.objects.get(pk=topic_id)
    unknown = set(changes) - set(EDITABLE)
    if unknown:
        raise Refused(_("These fields cannot be changed: %s") % ", ".join(sorted(unknown)))
    if topic.message_class == MessageClass.TRANSACTIONAL and not user.has_perm(TRANSACTIONAL):
        raise Refused(_("Only operations may change a transactional topic."))
    _check(
        user,
        changes.get("message_class", topic.message_class),
        changes.get("legal_basis", topic.legal_basis),
    )
    rows = Topic.objects.filter(pk=topic_id)
    if version is not None:
        rows = rows.filter(version=version)
    if not rows.update(**changes, version=F("version") + 1):
        raise Conflict(
            _("Somebody changed this topic meanwhile. Your entries are kept; compare and save again.")
        )
    topic.refresh_from_db()
    audit.record(verb="update_topic", obj=topic, fields=sorted(changes))
    return topic
