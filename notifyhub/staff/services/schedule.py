"""The row of django-celery-beat that drives all ticks, and what administrators may add to it."""

from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from notifyhub.core.errors import Refused
from notifyhub.staff.services import audit

NAME = "Run due ticks"
TASK = "notifyhub.staff.tasks.run_ticks_task"
QUEUE = "housekeeping"
# What an administrator may let beat ring for. Anything else would be code run by a form.
ALLOWED: dict[str, Any] = {TASK: _("Run the ticks that are due")}
EDITABLE = ("name", "task", "enabled", "interval", "crontab", "description")


def schedule_ticks() -> PeriodicTask:
    """Make beat ring for the ticks every NOTIFYHUB_TICK_SECONDS; return its row.

    A ring expires after two intervals, so that none pile up while no worker listens. An administrator's
    switch-off stays; interval, task and queue follow the settings.
    """
    interval, _created = IntervalSchedule.objects.get_or_create(
        every=settings.TICK_SECONDS, period=IntervalSchedule.SECONDS
    )
    wanted: dict[str, Any] = {
        "task": TASK,
        "interval": interval,
        "crontab": None,
        "queue": QUEUE,
        "expire_seconds": max(10, settings.TICK_SECONDS * 2),
    }
    row, created = PeriodicTask.objects.get_or_create(name=NAME, defaults=wanted)
    if not created and any(getattr(row, field) != value for field, value in wanted.items()):
        for field, value in wanted.items():
            setattr(row, field, value)
        # Beat notices a change by this model's own save.
        row.save()
    return row


def schedule_after_migrate(**kwargs: Any) -> None:
    """Receiver of post_migrate; a `migrate staff` alone may come before beat's tables."""
    if PeriodicTask._meta.db_table in connection.introspection.table_names():
        schedule_ticks()


def is_own(row: PeriodicTask) -> bool:
    """Say whether this is the house's own row, which only ever is switched on or off."""
    return row.name == NAME


@transaction.atomic
def save_periodic_task(*, row: PeriodicTask, changes: dict[str, Any]) -> PeriodicTask:
    """Create or change a row of beat from an administrator's form; return it.

    Arguments, queue and expiry are ours: a form never sets them.
    """
    if changes.get("task", row.task) not in ALLOWED:
        raise Refused(_("Choose a task from the list."), field="task")
    created = row.pk is None
    row = PeriodicTask() if created else PeriodicTask.objects.select_for_update().get(pk=row.pk)
    if not created and is_own(row) and set(changes) - {"enabled"}:
        raise Refused(_("The house's own bell can only be switched on or off. Its interval is a setting."))
    for name in EDITABLE:
        if name in changes:
            setattr(row, name, changes[name])
    if (row.interval is None) == (row.crontab is None):
        raise Refused(_("Choose either an interval or a crontab."), field="interval")
    row.queue, row.expire_seconds, row.args, row.kwargs = QUEUE, 60, "[]", "{}"
    if is_own(row):
        row.expire_seconds = max(10, settings.TICK_SECONDS * 2)
    # Beat notices a change by this model's own save.
    row.save()
    verb = "create_periodic_task" if created else "update_periodic_task"
    audit.record(verb=verb, obj=row, label=row.name, fields=sorted(set(changes) & set(EDITABLE)))
    return row


@transaction.atomic
def delete_periodic_task(*, row: PeriodicTask) -> None:
    """Delete a row of beat; raise Refused for the house's own."""
    if is_own(row):
        raise Refused(_("The house's own bell is not deleted. Switch it off instead."))
    audit.record(verb="delete_periodic_task", obj=row, label=row.name)
    row.delete()
