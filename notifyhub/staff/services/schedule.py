"""The one row of django-celery-beat that drives all ticks."""

from typing import Any

from django.conf import settings
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

NAME = "Run due ticks"
TASK = "notifyhub.staff.tasks.run_ticks_task"
QUEUE = "housekeeping"


def schedule_ticks() -> PeriodicTask:
    """Make beat ring for the ticks every NOTIFYHUB_TICK_SECONDS; return its row.

    A ring expires after two intervals, so that none pile up while no worker listens. An administrator's
    switch-off stays; interval, task and queue follow the settings.
    """
    interval, _ = IntervalSchedule.objects.get_or_create(
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
