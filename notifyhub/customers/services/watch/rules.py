"""Writing watch rules."""

import re
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import WatchRule
from notifyhub.customers.services.watch.sql import facts_of
from notifyhub.staff.models import Team, User
from notifyhub.staff.roles import ROLES
from notifyhub.staff.services import audit

Kind = WatchRule.Kind
MOST_NAMES = 5
MOST_COUNT = 10_000
# The sightings of a rule are kept so long, and a little for what comes late.
LONGEST = 31 * 24 * 60
FIELDS = (
    "name", "kind", "first", "second", "unless", "scope", "properties", "count", "minutes",
    "holds", "hold_hours", "tell_team", "tell_role", "owner_team",
)  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9_.]{0,79}")
_PROPERTY = re.compile(r"\S(.{0,58}\S)?")


def read_rule(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a rule, checked; raise Refused at the field that is wrong."""
    facts: dict[str, Any] = {name: data.get(name) for name in FIELDS}
    facts["name"] = (facts["name"] or "").strip()
    if not 0 < len(facts["name"]) <= 120:
        raise Refused(_("Give the rule a name of at most 120 characters."), field="name")
    kind = facts["kind"]
    if kind not in Kind.values:
        raise Refused(_("Choose what the rule watches for."), field="kind")
    for part in ("first", "second", "unless"):
        facts[part] = _read_names(facts[part], part)
    if kind in (Kind.TWICE, Kind.BURST):
        facts["second"] = facts["unless"] = []
    if not facts["first"]:
        raise Refused(_("Name an event, like order_paid."), field="first")
    if kind in (Kind.AFTER, Kind.MISSING) and not facts["second"]:
        raise Refused(_("Name the second event, like order_paid."), field="second")
    names = [*facts["first"], *facts["second"], *facts["unless"]]
    if len(set(names)) < len(names):
        raise Refused(
            _("Name each event in one place only."), field="unless" if facts["unless"] else "second"
        )
    facts["properties"] = _read_properties(facts["properties"], kind)
    if kind == Kind.BURST or facts["scope"] not in WatchRule.Scope.values:
        facts["scope"] = WatchRule.Scope.ORDER
    if kind == Kind.BURST and not 2 <= (facts["count"] or 0) <= MOST_COUNT:
        raise Refused(_("Choose a number from 2 to %d.") % MOST_COUNT, field="count")
    facts["count"] = facts["count"] if kind == Kind.BURST else 2
    if not 1 <= (facts["minutes"] or 0) <= LONGEST:
        raise Refused(_("Choose a time from 1 minute to 31 days."), field="minutes")
    facts["holds"] = bool(facts["holds"])
    if facts["hold_hours"] is not None and not 1 <= facts["hold_hours"] <= 24 * 90:
        raise Refused(_("Choose from 1 to 2160 hours, or leave it empty."), field="hold_hours")
    if not facts["tell_team"] and facts["tell_role"] not in ROLES:
        raise Refused(_("Choose who is told: a team or a role."), field="tell_role")
    facts["tell_role"] = "" if facts["tell_team"] else facts["tell_role"]
    return facts


def _read_names(names: Any, field: str) -> list[str]:
    read = list(dict.fromkeys(name.strip() for name in names or [] if name.strip()))
    for name in read:
        if not _NAME.fullmatch(name):
            raise Refused(_("“%s” is no event name. Write it like order_paid.") % name[:80], field=field)
    if len(read) > MOST_NAMES:
        raise Refused(_("Name at most %d events.") % MOST_NAMES, field=field)
    return read


def _read_properties(names: Any, kind: str) -> list[str]:
    read = list(dict.fromkeys(name.strip() for name in names or [] if name.strip()))
    if kind not in (Kind.TWICE, Kind.BURST):
        return []
    if any(not _PROPERTY.fullmatch(name) or not name.isprintable() for name in read):
        raise Refused(_("A property's name has at most 60 characters, like merchant."), field="properties")
    if kind == Kind.BURST and len(read) != 1:
        raise Refused(_("Name the one property they have in common, like merchant."), field="properties")
    if len(read) > MOST_NAMES:
        raise Refused(_("Name at most %d properties.") % MOST_NAMES, field="properties")
    return read


@transaction.atomic
def create_rule(*, data: Mapping[str, Any], owner: User | None) -> WatchRule:
    """Make a rule that does not watch yet and return it; raise Refused at the field that is wrong."""
    facts = read_rule(data)
    try:
        with transaction.atomic():
            rule = WatchRule.objects.create(**facts, owner=owner)
    except IntegrityError as error:
        raise Refused(_("There is a rule of this name."), field="name") from error
    audit.record(verb="create_watch_rule", obj=rule)
    return rule


@transaction.atomic
def update_rule(*, rule_id: int, data: Mapping[str, Any], version: int | None) -> WatchRule:
    """Change a rule and return it; raise Conflict if somebody else did since `version` was read.

    When what it watches for changes, it starts anew: what is past by then is not found by the new words.
    """
    facts = read_rule(data)
    rule = WatchRule.objects.select_for_update().get(pk=rule_id)
    if rule.state == WatchRule.State.ARCHIVED:
        raise Refused(_("This rule is archived and cannot be changed."))
    if version != rule.version:
        raise Conflict(
            _("Somebody changed this rule meanwhile. Compare, then save again."), current=rule.version
        )
    before = facts_of(rule)
    changed = [name for name, value in facts.items() if getattr(rule, name) != value]
    if not changed:
        return rule
    rows = WatchRule.objects.filter(pk=rule_id)
    try:
        with transaction.atomic():
            rows.update(**{name: facts[name] for name in changed}, version=F("version") + 1)
    except IntegrityError as error:
        raise Refused(_("There is a rule of this name."), field="name") from error
    rule.refresh_from_db()
    if facts_of(rule) != before:
        rows.update(definition=F("definition") + 1, defined_at=timezone.now())
    audit.record(verb="update_watch_rule", obj=rule, fields=changed)
    return rule


def activate_rule(*, rule_id: int) -> WatchRule:
    """Let a rule watch from now on and return it; raise Refused if it may not."""
    return _move(
        rule_id,
        WatchRule.State.ACTIVE,
        "activate_watch_rule",
        definition=F("definition") + 1,
        defined_at=timezone.now(),
    )


def pause_rule(*, rule_id: int) -> WatchRule:
    """Stop a rule for a while and return it; raise Refused if it does not watch."""
    return _move(rule_id, WatchRule.State.PAUSED, "pause_watch_rule")


def archive_rule(*, rule_id: int) -> WatchRule:
    """Retire a rule and return it; its alerts stay. Raise Refused while it watches."""
    return _move(rule_id, WatchRule.State.ARCHIVED, "archive_watch_rule")


@transaction.atomic
def _move(rule_id: int, to: str, verb: str, **changes: Any) -> WatchRule:
    rows = WatchRule.objects.filter(pk=rule_id)
    moved = WatchRule.FLOW.advance(rows, to=to, version=F("version") + 1, **changes)
    rule = rows.get()
    if not moved:
        raise Refused(_("A rule that is “%s” cannot do this.") % rule.get_state_display())
    audit.record(verb=verb, obj=rule)
    return rule


def teams() -> Any:
    """Return the teams that can be told."""
    return Team.objects.filter(active=True)
