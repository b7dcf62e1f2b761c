"""What a rule would do for one customer: what, when, and why not."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Delivery, TemplateVersion
from notifyhub.messaging.services.dispatches import forecast
from notifyhub.reminders.models import ReminderRule, ReminderStep, RuleVersion
from notifyhub.reminders.registry import describe_condition
from notifyhub.reminders.services.dryrun.asking import RULE_ROW, ask, steps_of, version_row
from notifyhub.reminders.services.dryrun.words import moved_words, nothing_words, row_words, stop_words
from notifyhub.reminders.services.due_sql import due_rows, event_anchors, lines_of
from notifyhub.reminders.services.due_sql.anchors import Anchors, order_statuses
from notifyhub.reminders.services.due_sql.zones import ZONE, ZONE_JOIN, zone_params
from notifyhub.reminders.services.occasions.beginning import HELD_OUT
from notifyhub.reminders.services.sending.judging import conditions_sql
from notifyhub.reminders.services.stopping import WHY

BACK, AHEAD = timedelta(days=60), timedelta(days=400)
SHOWN = 3

_TRY = f"""
SELECT k.*, {{condition}} AS condition, {WHY} AS why
FROM (
    SELECT f.*, l.id AS occasion, coalesce(l.held_out, {{held_out}} < %(holdout)s) AS held_out,
           r.id AS reminder_id, r.state, r.reason, r.detail, r.due_at AS row_due
    FROM ({{due}}) f
    LEFT JOIN LATERAL (
        SELECT b.id, b.held_out, b.occurrence FROM reminders_occasion b
        WHERE b.rule_id = %(rule)s AND b.subject_ref = f.subject_ref
          AND (f.occurrence IS NULL OR b.occurrence = f.occurrence) ORDER BY b.occurrence DESC LIMIT 1
    ) l ON true
    LEFT JOIN reminders_reminder r ON r.rule_id = %(rule)s AND r.subject_ref = f.subject_ref
        AND r.step = f.step AND r.round = f.round AND r.occurrence = coalesce(l.occurrence, 0)
) k
CROSS JOIN LATERAL (SELECT k.occasion AS id, k.customer_id, k.order_id, k.subject_ref, k.event_id,
    coalesce(k.occurrence, 0) AS occurrence, k.began_at AS started_at, k.anchor_at, k.facts) o
CROSS JOIN LATERAL (SELECT k.reminder_id AS id, k.due_at, k.step, k.round, k.subject_ref, k.customer_id) r
CROSS JOIN {{version}} CROSS JOIN {RULE_ROW}
JOIN customers_customer c ON c.id = k.customer_id
LEFT JOIN customers_order ord ON ord.id = k.order_id
ORDER BY k.due_at, k.step, k.round
"""

# As if the event came at this moment, about nothing in particular.
_IF_NOW = f"""
    SELECT c.id AS customer_id, NULL::bigint AS order_id, 'event:?' AS subject_ref, NULL::int AS occurrence,
           %(now)s::timestamptz AS anchor_at, {ZONE} AS zone, NULL::bigint AS event_id,
           '{{}}'::jsonb AS facts,
           %(now)s::timestamptz AS began_at, %(now)s::timestamptz AS told_at
    FROM customers_customer c {ZONE_JOIN} WHERE c.id = %(customer)s AND c.state = 'active'
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one step would do about one date: when, whether, and in words why.

    `wanted_at` is set where send hours or days off moved it; `if_now` where no event has come yet and one at
    this moment is supposed.
    """

    step: ReminderStep
    words: str
    tone: str
    due_at: datetime | None = None
    wanted_at: datetime | None = None
    subject: str = ""
    round: int = 0
    reminder_id: int | None = None
    if_now: bool = False


def try_version(
    version: RuleVersion,
    customer: Customer,
    *,
    steps: list[ReminderStep] | None = None,
    now: datetime | None = None,
) -> list[Outcome]:
    """Return what each step of the version would do for the customer, by date; nothing is written.

    `steps` are named for a version that is not saved.
    """
    now = now or timezone.now()
    steps = steps_of(version, steps)
    if not steps:
        return []
    rows, if_now = _rows(version, steps, customer, now)
    if not rows:
        why = nothing_words(version, customer)
        return [Outcome(step=step, words=why, tone="grey") for step in steps]
    by_number = {step.number: step for step in steps}
    roads: dict[int, tuple[bool, str]] = {}
    outcomes = []
    for row in rows:
        step = by_number[row["step"]]
        words, tone = _judge(version, row, now)
        if tone == "green":
            if step.number not in roads:
                roads[step.number] = _road(version, step, customer)
            open_road, how = roads[step.number]
            words, tone = f"{words} {how}".strip(), "green" if open_road else "orange"
        outcomes.append(
            Outcome(
                step=step,
                words=words,
                tone=tone,
                due_at=row["due_at"],
                wanted_at=row["wanted_at"] if row["wanted_at"] != row["due_at"] else None,
                subject="" if if_now else row["subject_ref"].rpartition(":")[2],
                round=row["round"],
                reminder_id=row["reminder_id"],
                if_now=if_now,
            )
        )
    return outcomes


def _rows(
    version: RuleVersion, steps: list[ReminderStep], customer: Customer, now: datetime
) -> tuple[list[dict[str, Any]], bool]:
    """Return the rows of the subjects nearest to now, and whether they suppose an event at this moment."""
    if version.start != RuleVersion.Start.EVENT:
        return _nearest(_ask(version, steps, customer, now, None), now), False
    happened = event_anchors(
        version,
        now=now,
        which="e.customer_id = %(customer)s AND e.received_at > %(since)s",
        params={"customer": customer.pk, "since": now - BACK},
        statuses=order_statuses(),
    )
    rows = _ask(version, steps, customer, now, happened)
    if rows or version.date_field:
        return _nearest(rows, now), False
    supposed = Anchors(sql=_IF_NOW, params={**zone_params(), "now": now, "customer": customer.pk})
    return _ask(version, steps, customer, now, supposed), True


def _ask(
    version: RuleVersion,
    steps: list[ReminderStep],
    customer: Customer,
    now: datetime,
    anchors: Anchors | None,
) -> list[dict[str, Any]]:
    due, params = due_rows(
        version, lines_of(steps), now=now, back=BACK, ahead=AHEAD, customer_ids=[customer.pk], anchors=anchors
    )
    condition, more = conditions_sql(version)
    row, columns = version_row(version)
    held_out = HELD_OUT.format(rule=version.rule_id or 0, customer="f.customer_id")
    return ask(
        _TRY.format(due=due, condition=condition, version=row, held_out=held_out),
        {**params, **more, **columns, "rule": version.rule_id, "holdout": version.holdout, "now": now},
    )


def _nearest(rows: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Keep the subjects and years nearest to now, those with something to come before the others."""
    subjects: dict[tuple[str, Any], list[datetime]] = {}
    for row in rows:
        subjects.setdefault((row["subject_ref"], row["occurrence"]), []).append(row["due_at"])
    order = sorted(
        subjects, key=lambda key: (max(subjects[key]) < now, min(abs(due - now) for due in subjects[key]))
    )
    # Of a yearly date the next one tells enough.
    kept: dict[str, tuple[str, Any]] = {}
    for key in order:
        kept.setdefault(key[0], key)
    chosen = set(list(kept.values())[:SHOWN])
    return [row for row in rows if (row["subject_ref"], row["occurrence"]) in chosen]


def _judge(version: RuleVersion, row: dict[str, Any], now: datetime) -> tuple[str, str]:
    due, rule = row["due_at"], version.rule
    said = row_words(row)
    if said:
        return said
    if row["why"]:
        return stop_words(row["why"]), "orange"
    if row["off"]:
        return _("Left out: it falls on a day off."), "grey"
    if due < now - timedelta(hours=version.grace_hours):
        return _("Not sent: too late, its grace (%d h) is over.") % version.grace_hours, "grey"
    active = rule.state == ReminderRule.State.ACTIVE and rule.activated_at is not None
    if due < (rule.activated_at if active else now):
        return _("Not sent: it was due before the rule became active."), "grey"
    if row["held_out"]:
        return _("Not sent: this customer is held out, to measure what reminders do."), "grey"
    if row["condition"]:
        return _("Left out if it is then as it is now: %s.") % describe_condition(row["condition"]), "orange"
    moved = moved_words(row)
    if due <= now:
        return _("Sent at once.") + moved, "green"
    return _("Sent then.") + moved, "green"


def _road(version: RuleVersion, step: ReminderStep, customer: Customer) -> tuple[bool, str]:
    """Return whether the customer can be reached by this step's template now, and how or why not."""
    published = TemplateVersion.objects.filter(
        template_id=step.template_id, state=TemplateVersion.State.PUBLISHED
    ).first()
    if published is None:
        return False, _("But the template “%s” is not published.") % step.template
    try:
        answer = forecast(
            message_class=step.template.message_class,
            chain=step.chain,
            audience={
                "kind": "rule",
                "rule": {"field": "customer", "operator": "in", "value": [customer.pk]},
            },
            topic=step.template.topic,
            template_version=published,
            urgent=version.urgent,
        )
    except Refused as refusal:
        return False, str(refusal)
    for channel in answer.by_channel:
        return True, _("By %s, as things are now.") % Channel(channel).label
    for reason in answer.by_reason:
        return False, _("But as things are now it would be skipped: %s.") % Delivery.Reason(reason).label
    return False, ""
