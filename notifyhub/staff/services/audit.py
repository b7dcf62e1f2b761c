"""Writing, sealing and verifying the audit trail."""

from typing import Any

from django.db.models import Model

from notifyhub.staff.context import current_actor
from notifyhub.staff.models import AuditEntry


def record(
    *,
    verb: str,
    obj: Model | None = None,
    object_type: str = "",
    object_id: Any = "",
    label: str = "",
    reason: str = "",
    **detail: Any,
) -> AuditEntry:
    """Write one entry in the caller's transaction and return it.

    The actor is the member of staff or API key of the request under way, else the system. `detail` must
    be JSON values without personal data.
    """
    actor = current_actor()
    if obj is not None:
        object_type = object_type or obj._meta.label_lower
        object_id = object_id or obj.pk
        label = label or str(obj)
    return AuditEntry.objects.create(
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor=actor.name[:120],
        verb=verb,
        object_type=object_type,
        object_id=str(object_id),
        object_label=label[:200],
        reason=reason[:500],
        detail=detail,
        ip=actor.ip,
    )
