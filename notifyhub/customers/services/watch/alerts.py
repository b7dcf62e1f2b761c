"""Findings become alerts: gathered, told once, and the orders concerned held."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext_lazy

from notifyhub.customers.models import Alert, WatchRule
from notifyhub.customers.services.watch.holding import hold_subjects, release_settled
from notifyhub.customers.services.watch.sql import facts_of
from notifyhub.customers.services.watch.words import lazy_sentence
from notifyhub.staff.models import StaffNotice, User
from notifyhub.staff.services.notices import notify

# An open alert that found something so lately takes in what comes; later ones are told anew.
GATHER = timedelta(hours=1)
# More alerts of one rule at once are told as one.
TOLD_ALONE = 3

_QUIET = """
UPDATE customers_watchfinding f SET alert_id = m.alert_id, muted = true
FROM customers_watchmute m
WHERE f.rule_id = %(rule)s AND f.alert_id IS NULL
  AND m.rule_id = f.rule_id AND m.key = f.key AND m.until > %(now)s
"""
_GROUPS = """
SELECT CASE WHEN %(burst)s THEN key ELSE '' END AS g FROM customers_watchfinding
WHERE rule_id = %(rule)s AND alert_id IS NULL AND standing GROUP BY g ORDER BY g
"""
_ATTACH = """
UPDATE customers_watchfinding f SET alert_id = a.alert_id
FROM unnest(%(groups)s::text[], %(alerts)s::bigint[]) AS a (g, alert_id)
WHERE f.rule_id = %(rule)s AND f.alert_id IS NULL AND f.standing
  AND a.g = CASE WHEN %(burst)s THEN f.key ELSE '' END
"""
# Findings of a burst overlap: their spans are joined before the sightings in them are looked up.
_EVIDENCE = """
INSERT INTO customers_alertevent (alert_id, key, message_id, name, occurred_at, customer_id, order_number)
SELECT f.alert_id, g.key, g.message_id, g.name, g.occurred_at, g.customer_id, g.order_number
FROM (SELECT alert_id, key, unnest(range_agg(tstzrange(since_at, occurred_at, '[]'))) AS span
      FROM customers_watchfinding WHERE rule_id = %(rule)s AND alert_id = ANY (%(alerts)s) AND standing
      AND NOT muted GROUP BY alert_id, key) f
JOIN customers_watchsighting g ON g.rule_id = %(rule)s AND g.key = f.key AND g.role <> 3
    AND g.occurred_at >= lower(f.span) AND g.occurred_at <= upper(f.span)
ORDER BY f.alert_id, g.message_id
ON CONFLICT (alert_id, message_id) DO NOTHING
"""
# What is counted: the events of a burst, else how many orders or customers it happened to.
_COUNT = """
UPDATE customers_alert a SET found = CASE WHEN a.facts ->> 'kind' = 'burst' THEN e.events ELSE e.keys END,
    people = e.people, first_at = coalesce(e.first_at, a.first_at), last_at = coalesce(e.last_at, a.last_at)
FROM unnest(%(alerts)s::bigint[]) AS u (pk)
CROSS JOIN LATERAL (
    SELECT count(DISTINCT v.customer_id) AS people, count(*) AS events, count(DISTINCT v.key) AS keys,
        min(v.occurred_at) AS first_at, max(v.occurred_at) AS last_at
    FROM customers_alertevent v WHERE v.alert_id = u.pk AND EXISTS (
        SELECT 1 FROM customers_watchfinding w
        WHERE w.alert_id = u.pk AND w.key = v.key AND w.standing AND NOT w.muted)) e
WHERE a.id = u.pk
"""


def gather_findings(*, rule: WatchRule, changed: Sequence[int], now: datetime) -> int:
    """Give each new finding of a rule its alert; return how many alerts were raised.

    `changed` are alerts of which findings no longer stand, or stand again. Called with the bookmark held, so
    that no two do it at once.
    """
    burst = rule.kind == WatchRule.Kind.BURST
    values: dict[str, Any] = {"rule": rule.pk, "burst": burst, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_QUIET, values)
        cursor.execute(_GROUPS, values)
        groups = [row[0] for row in cursor.fetchall()]
    made, into = _alerts_for(rule, groups, now)
    alerts = sorted({*into.values(), *changed})
    with connection.cursor() as cursor:
        cursor.execute(_ATTACH, {**values, "groups": list(into), "alerts": list(into.values())})
        cursor.execute(_EVIDENCE, {"rule": rule.pk, "alerts": alerts})
        cursor.execute(_COUNT, {"alerts": alerts})
    Alert.objects.filter(pk__in=list(into.values())).update(grew_at=now)
    if changed:
        _settle(changed, now)
    if rule.holds and into:
        hold_subjects(rule=rule, alerts=list(into.values()), now=now)
    if made:
        _tell(rule, Alert.objects.filter(pk__in=made).order_by("pk"))
    return len(made)


def _alerts_for(rule: WatchRule, groups: list[str], now: datetime) -> tuple[list[int], dict[str, int]]:
    """Return which alerts are new, and the alert of each group."""
    growing = Alert.objects.open().filter(rule=rule, group__in=groups, grew_at__gt=now - GATHER)
    into = dict(growing.order_by("pk").values_list("group", "pk"))
    facts = facts_of(rule)
    made = Alert.objects.bulk_create(
        [
            Alert(rule=rule, group=group, facts=facts, raised_at=now, grew_at=now)
            for group in groups
            if group not in into
        ]
    )
    into |= {alert.group: alert.pk for alert in made}
    return [alert.pk for alert in made], into


def _settle(alerts: Sequence[int], now: datetime) -> None:
    """Close the alerts of which nothing stands any more, open those again that stand again."""
    rows = Alert.objects.filter(pk__in=alerts).annotate(
        left=Count("findings", filter=Q(findings__standing=True, findings__muted=False))
    )
    counted = {alert.pk: alert.left for alert in rows}
    empty = [pk for pk, left in counted.items() if not left]
    full = [pk for pk, left in counted.items() if left]
    Alert.FLOW.advance(Alert.objects.filter(pk__in=empty), to=Alert.State.SETTLED, decided_at=now)
    Alert.FLOW.advance(Alert.objects.filter(pk__in=full), to=Alert.State.OPEN, decided_at=None, grew_at=now)
    release_settled(alerts=list(alerts))
    withdraw(empty)


def withdraw(alerts: Iterable[int]) -> int:
    """Count unread notices of these alerts as read, as they are no longer news; return how many."""
    keys = [f"watch:{pk}" for pk in alerts]
    return StaffNotice.objects.filter(dedup__in=keys, read_at=None).update(read_at=timezone.now())


def told_by(rule: WatchRule) -> list[User]:
    """Return the people whom the rule tells: the team, or else everybody of the role."""
    active = User.objects.filter(is_active=True)
    if rule.tell_team_id:
        return list(active.filter(memberships__team_id=rule.tell_team_id).distinct())
    return list(active.filter(groups__role__code=rule.tell_role).distinct())


def _tell(rule: WatchRule, alerts: Iterable[Alert]) -> None:
    alerts = list(alerts)
    people = told_by(rule)
    if len(alerts) > TOLD_ALONE:
        listing = reverse("admin:customers_alert_changelist")
        notify(
            recipients=people,
            level="alarm",
            title=ngettext_lazy("%(rule)s: %(n)d alert", "%(rule)s: %(n)d alerts", len(alerts))
            % {"rule": rule.name, "n": len(alerts)},
            body=gettext_lazy("They came within moments of each other. Open the list to see them all."),
            url=f"{listing}?rule__id__exact={rule.pk}",
            dedup=f"watch:{alerts[0].pk}",
        )
        return
    for alert in alerts:
        notify(
            recipients=people,
            level="alarm",
            title=rule.name,
            body=lazy_sentence(alert),
            url=reverse("admin:customers_alert_change", args=[alert.pk]),
            dedup=f"watch:{alert.pk}",
        )
