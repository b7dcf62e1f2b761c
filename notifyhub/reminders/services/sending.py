"""Handing due rows to messaging: one dispatch per rule and step, once."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import Error, connection, transaction
from django.utils import timezone, translation

from notifyhub.core.errors import Refused
from notifyhub.messaging.models import TemplateVersion
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import create_dispatch
from notifyhub.messaging.services.halts import held_before
from notifyhub.reminders.models import Reminder, ReminderRule, ReminderStep
from notifyhub.reminders.services.due_sql import DONE

logger = logging.getLogger(__name__)

ORIGIN = "reminder"
# Bounds one transaction; what is left goes with the next round of the same tick.
LIMIT = 50_000

_DUE = """
SELECT DISTINCT r.rule_id, r.step FROM reminders_reminder r
JOIN reminders_reminderrule ru ON ru.id = r.rule_id AND ru.state = 'active'
WHERE r.state = 'planned' AND r.due_at <= now()
  AND (%(held)s::timestamptz IS NULL OR r.due_at >= %(held)s) ORDER BY 1, 2
"""

# The rows leave `planned` and become items of the dispatch in one statement: a second tick finds none.
_HAND_OVER = f"""
WITH due AS (
    SELECT r.id FROM reminders_reminder r
    JOIN reminders_reminderrule ru ON ru.id = r.rule_id
    LEFT JOIN customers_order o ON o.id = r.order_id
    WHERE r.rule_id = %(rule)s AND r.step = %(step)s AND r.state = 'planned' AND r.due_at <= now()
      AND (%(held)s::timestamptz IS NULL OR r.due_at >= %(held)s)
      AND r.due_at >= now() - ru.grace_hours * interval '1 hour'
      AND ru.state = 'active' AND (o.id IS NULL OR NOT {DONE})
    ORDER BY r.id LIMIT %(limit)s
    FOR UPDATE OF r SKIP LOCKED
), moved AS (
    UPDATE reminders_reminder r SET state = 'dispatched', dispatch_id = %(dispatch)s, settled_at = now()
    FROM due WHERE r.id = due.id
    RETURNING r.id, r.customer_id, r.subject_ref
)
INSERT INTO messaging_dispatchitem (dispatch_id, item, customer_id, contact_id, subject_ref, variables)
SELECT %(dispatch)s, id, customer_id, NULL, subject_ref, NULL FROM moved
"""


class _NothingDue(Exception):
    """Rolls back the dispatch made for rows that another tick took."""


def send_step(*, rule: ReminderRule, step: ReminderStep) -> int:
    """Hand the due rows of one step to messaging under one dispatch; return how many.

    A step whose template has no published version, or no text for any channel of the rule, waits: its rows
    stay planned until the grace ends. Channels of the rule that the template has no text for are left out.
    Raises Refused if messaging does not take the dispatch; nothing is handed over then.
    """
    version = TemplateVersion.objects.filter(
        template_id=step.template_id, state=TemplateVersion.State.PUBLISHED
    ).first()
    if version is None:
        return 0
    written = set(version.contents.values_list("channel", flat=True))
    chain = [{"channel": channel} for channel in rule.chain if channel in written]
    if not chain:
        return 0
    # The line on the message's page is kept as text, in the language of those who answer for the rule.
    with translation.override(rule.owner.language if rule.owner else settings.LANGUAGE_CODE):
        title, trigger = f"{rule.name} · {step}", f"{rule.get_anchor_display()} · {step}"
    try:
        with transaction.atomic():
            dispatch = create_dispatch(
                title=title,
                origin_kind=ORIGIN,
                origin_id=str(rule.pk),
                trigger=trigger,
                message_class=step.template.message_class,
                topic=step.template.topic,
                template_version=version,
                chain=chain,
                audience={"kind": "items"},
                priority=Priority.BULK,
                expires_at=timezone.now() + timedelta(hours=max(rule.grace_hours, 1)),
                owner=rule.owner,
                owner_team=rule.owner_team,
                author=str(version.created_by or ""),
            )
            with connection.cursor() as cursor:
                cursor.execute(
                    _HAND_OVER,
                    {
                        "rule": rule.pk,
                        "step": step.number,
                        "dispatch": dispatch.pk,
                        "limit": LIMIT,
                        "held": held_before(),
                    },
                )
                moved = cursor.rowcount
            if not moved:
                raise _NothingDue
    except _NothingDue:
        return 0
    return int(moved)


def send_due_reminders() -> int:
    """Hand over everything that is due; return how many reminders went.

    A step that fails keeps no other from being sent; its error is raised in the end, for the tick's row.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"held": held_before()})
        pairs = cursor.fetchall()
    steps = {
        (step.rule_id, step.number): step
        for step in ReminderStep.objects.filter(rule_id__in=[pair[0] for pair in pairs]).select_related(
            "rule__owner", "rule__owner_team", "template__topic"
        )
    }
    sent = 0
    failure: Exception | None = None
    for pair in pairs:
        if pair not in steps:
            continue
        try:
            sent += send_step(rule=steps[pair].rule, step=steps[pair])
        except (Refused, Error) as error:
            logger.exception("Step %s of reminder rule %s could not be handed over.", pair[1], pair[0])
            failure = error
    if failure is not None:
        raise failure
    return sent


def skip_overdue(*, before: datetime) -> int:
    """Give up the reminders that were due before a restore, as a person decided; return how many."""
    rows = Reminder.objects.filter(state=Reminder.State.PLANNED, due_at__lt=before)
    return rows.update(state=Reminder.State.SKIPPED, reason=Reminder.Reason.LATE, settled_at=timezone.now())


def on_overdue_cancelled(before: datetime, **kwargs: Any) -> None:
    """Receiver of messaging's signal: what was overdue at a restore shall not go out."""
    skip_overdue(before=before)
