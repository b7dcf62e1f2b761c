"""Saving, changing and retiring segments."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import Segment
from notifyhub.customers.services.audiences import compile_audience
from notifyhub.staff.models import Team, User
from notifyhub.staff.services import audit


def _check(kind: str, rule: dict[str, Any], segment_id: int | None = None) -> None:
    if kind not in Segment.Kind.values:
        raise Refused(_("Choose a rule or a static list."), field="kind")
    if kind == Segment.Kind.RULE:
        compile_audience(rule, inside=(segment_id,) if segment_id else ())


@transaction.atomic
def create_segment(
    *,
    name: str,
    kind: str,
    rule: dict[str, Any] | None = None,
    owner: User | None = None,
    owner_team: Team | None = None,
) -> Segment:
    """Save a segment and return it; raise Refused for a bad rule or a name in use."""
    rule = rule or {}
    _check(kind, rule)
    if not name.strip():
        raise Refused(_("Give the segment a name."), field="name")
    try:
        with transaction.atomic():
            segment = Segment.objects.create(
                name=name.strip()[:120],
                kind=kind,
                rule=rule if kind == Segment.Kind.RULE else {},
                owner=owner,
                owner_team=owner_team,
                count=0 if kind == Segment.Kind.STATIC else None,
                counted_at=timezone.now() if kind == Segment.Kind.STATIC else None,
            )
    except IntegrityError as error:
        raise Refused(_("Another segment has this name already."), field="name") from error
    audit.record(verb="create_segment", obj=segment, kind=kind)
    return segment


@transaction.atomic
def update_segment(
    *, segment_id: int, name: str, rule: dict[str, Any] | None = None, version: int | None
) -> Segment:
    """Write name and rule if the row still has `version`; return it. Raises Conflict otherwise."""
    segment = Segment.objects.filter(pk=segment_id).first()
    if segment is None or segment.archived_at:
        raise Refused(_("This segment is archived. Restore it first."))
    if not name.strip():
        raise Refused(_("Give the segment a name."), field="name")
    changes: dict[str, Any] = {"name": name.strip()[:120]}
    if segment.kind == Segment.Kind.RULE and rule is not None:
        _check(segment.kind, rule, segment_id)
        changes["rule"] = rule
        if rule != segment.rule:
            changes |= {"count": None, "counted_at": None}
    rows = Segment.objects.filter(pk=segment_id)
    if version is not None:
        rows = rows.filter(version=version)
    try:
        with transaction.atomic():
            moved = rows.update(**changes, version=F("version") + 1)
    except IntegrityError as error:
        raise Refused(_("Another segment has this name already."), field="name") from error
    if not moved:
        raise Conflict(
            _("Somebody changed this segment meanwhile. Your entries are kept; compare and save again."),
            current=segment.version,
        )
    segment.refresh_from_db()
    audit.record(verb="update_segment", obj=segment, fields=sorted(changes))
    return segment


@transaction.atomic
def archive_segment(*, segment_id: int) -> Segment:
    """Retire a segment and return it; campaigns that name it keep working."""
    if not Segment.objects.filter(pk=segment_id, archived_at=None).update(archived_at=timezone.now()):
        raise Refused(_("This segment is archived already."))
    segment = Segment.objects.get(pk=segment_id)
    audit.record(verb="archive_segment", obj=segment)
    return segment


@transaction.atomic
def restore_segment(*, segment_id: int) -> Segment:
    """Take a segment back into use and return it."""
    if not Segment.objects.filter(pk=segment_id, archived_at__isnull=False).update(archived_at=None):
        raise Refused(_("This segment is in use."))
    segment = Segment.objects.get(pk=segment_id)
    audit.record(verb="restore_segment", obj=segment)
    return segment
