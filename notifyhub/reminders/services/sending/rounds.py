"""The tick that hands over, and what becomes of the overdue after a restore."""

import logging
from datetime import datetime
from typing import Any

from django.db import Error, connection
from django.utils import timezone

from notifyhub.core.errors import Refused
from notifyhub.messaging.services.halts import held_before
from notifyhub.reminders.models import Reminder, ReminderStep
from notifyhub.reminders.services import stopping
from notifyhub.reminders.services.sending.handing import hand_over

logger = logging.getLogger(__name__)

# A rule that was changed is planned anew before anything of it goes.
_DUE = """
SELECT DISTINCT o.rule_version_id, r.step FROM reminders_reminder r
JOIN reminders_occasion o ON o.id = r.occasion_id
JOIN reminders_reminderrule ru ON ru.id = r.rule_id AND ru.state = 'active' AND ru.planned_at IS NOT NULL
WHERE r.state = 'planned' AND r.due_at <= %(now)s
  AND (%(held)s::timestamptz IS NULL OR r.due_at >= %(held)s) ORDER BY 1, 2
"""


def send_due_reminders(*, now: datetime | None = None) -> int:
    """Hand over everything that is due; return how many reminders went.

    A step that fails keeps no other from being sent; its error is raised in the end, for the tick's row.
    """
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"held": held_before(), "now": now})
        pairs = cursor.fetchall()
    steps = {
        (step.rule_version_id, step.number): step
        for step in ReminderStep.objects.filter(
            rule_version_id__in=[pair[0] for pair in pairs]
        ).select_related("rule_version__rule__owner", "rule_version__rule__owner_team", "template__topic")
    }
    sent = 0
    failure: Exception | None = None
    for pair in pairs:
        if pair not in steps:
            continue
        try:
            sent += hand_over(version=steps[pair].rule_version, step=steps[pair], now=now)
        except (Refused, Error) as error:
            logger.exception("Step %s of version %s could not be handed over.", pair[1], pair[0])
            failure = error
    if failure is not None:
        raise failure
    return sent


def skip_overdue(*, before: datetime) -> int:
    """Give up the reminders that were due before a restore, as a person decided; return how many."""
    rows = Reminder.objects.filter(state=Reminder.State.PLANNED, due_at__lt=before)
    skipped = rows.update(
        state=Reminder.State.SKIPPED, reason=Reminder.Reason.LATE, settled_at=timezone.now()
    )
    if skipped:
        stopping.close_through("true")
    return skipped


def on_overdue_cancelled(before: datetime, **kwargs: Any) -> None:
    """Receiver of messaging's signal: what was overdue at a restore shall not go out."""
    skip_overdue(before=before)
