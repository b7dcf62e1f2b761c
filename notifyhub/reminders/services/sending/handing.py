"""One step's due rows become the items of one dispatch, in one statement."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone, translation

from notifyhub.messaging.models import TemplateVersion
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.dispatches import create_dispatch, longest_wait
from notifyhub.messaging.services.halts import held_before
from notifyhub.reminders.models import ReminderStep, RuleVersion
from notifyhub.reminders.services import stopping
from notifyhub.reminders.services.locks import expect_many
from notifyhub.reminders.services.sending.judging import judge

ORIGIN = "reminder"

# The rows leave `planned` and become items of the dispatch in one statement: a second tick finds none. An
# order is what a message is about wherever there is one, so that its holds and its gaps count.
_HAND_OVER = """
WITH moved AS (
    UPDATE reminders_reminder r SET state = 'dispatched', dispatch_id = %(dispatch)s, settled_at = %(now)s
    WHERE r.id = ANY(%(rows)s) AND r.state = 'planned'
    RETURNING r.id, r.customer_id, r.subject_ref, r.occasion_id
)
INSERT INTO messaging_dispatchitem (dispatch_id, item, customer_id, contact_id, subject_ref, variables)
SELECT %(dispatch)s, m.id, m.customer_id, NULL, coalesce('order:' || ord.number, m.subject_ref), NULL
FROM moved m JOIN reminders_occasion o ON o.id = m.occasion_id
LEFT JOIN customers_order ord ON ord.id = o.order_id
"""
_TOUCHED = """o.id IN (
    SELECT r.occasion_id FROM reminders_reminder r WHERE r.id = ANY(%(rows)s)
    UNION SELECT unnest(%(lost)s::bigint[]))"""
_STOP_THE_REST = """
UPDATE reminders_reminder r SET state = 'stopped', reason = o.reason, detail = o.detail, settled_at = %(now)s
FROM reminders_occasion o
WHERE o.id = r.occasion_id AND o.id = ANY(%(ids)s) AND o.state IN ('stopped', 'done') AND r.state = 'planned'
"""


@transaction.atomic
def hand_over(
    *,
    version: RuleVersion,
    step: ReminderStep,
    now: datetime | None = None,
    only: list[int] | None = None,
) -> int:
    """Hand the due rows of one step to messaging under one dispatch; return how many.

    `only` names occasions. What must not go is settled with its reason. A step whose template has no
    published version, or none with a text for any channel of the step, waits: its rows stay planned until
    the grace ends. Channels that the template has no text for are left out. Raises Refused if messaging does
    not take the dispatch; nothing is handed over or settled then.
    """
    now = now or timezone.now()
    template = TemplateVersion.objects.filter(
        template_id=step.template_id, state=TemplateVersion.State.PUBLISHED
    ).first()
    chain = _written_chain(step, template) if template else []
    if template is None or not chain:
        return 0
    expect_many()
    rows, lost = judge(version, step=step.number, now=now, held=held_before(), only=only)
    if rows:
        _dispatch(version, step, template, chain, rows, now=now)
    with connection.cursor() as cursor:
        if lost:
            cursor.execute(_STOP_THE_REST, {"ids": lost, "now": now})
    stopping.close_through(_TOUCHED, {"rows": rows, "lost": lost}, now=now)
    return len(rows)


def _written_chain(step: ReminderStep, template: TemplateVersion) -> list[dict[str, Any]]:
    """Return the channels of the step that the template has a text for; nothing follows the last one."""
    written = set(template.contents.values_list("channel", flat=True))
    chain = [one for one in step.chain if one["channel"] in written]
    return [*chain[:-1], *({"channel": one["channel"]} for one in chain[-1:])]


def _dispatch(
    version: RuleVersion,
    step: ReminderStep,
    template: TemplateVersion,
    chain: list[dict[str, Any]],
    rows: list[int],
    *,
    now: datetime,
) -> None:
    rule = version.rule

    def fill(dispatch_id: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute(_HAND_OVER, {"dispatch": dispatch_id, "rows": rows, "now": now})
            return int(cursor.rowcount)

    # The line on the message's page is kept as text, in the language of those who answer for the rule.
    with translation.override(rule.owner.language if rule.owner else settings.LANGUAGE_CODE):
        title, trigger = (
            f"{rule.name} · {step}",
            f"{version.get_start_display()} · {step} · v{version.number}",
        )
    grace = timedelta(hours=max(version.grace_hours, 1))
    create_dispatch(
        title=title,
        origin_kind=ORIGIN,
        origin_id=str(rule.pk),
        trigger=trigger,
        message_class=step.template.message_class,
        topic=step.template.topic,
        template_version=template,
        chain=chain,
        audience={"kind": "items"},
        fill=fill,
        priority=Priority.REALTIME if step.at_once else version.priority,
        urgent=version.urgent,
        expires_at=timezone.now() + grace + longest_wait(chain),
        owner=rule.owner,
        owner_team=rule.owner_team,
        author=str(template.created_by or ""),
    )
