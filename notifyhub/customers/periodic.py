"""The ticks and jobs of the customers app that bring data in and out."""

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.core.partitions import create_month_partition
from notifyhub.core.registry import Tick, ticks
from notifyhub.customers.services import exporting
from notifyhub.customers.services.importing import uploads
from notifyhub.customers.services.traits import follow_news, refresh_due_blocks
from notifyhub.staff.services.jobs import register_runner
from notifyhub.staff.verbs import VERBS

MONTHS_AHEAD = 3
WORDS = {
    "import_customers": _("Imported customers"),
    "finish_customer_import": _("Finished a customer import"),
    "export_customers": _("Exported customers"),
    "finish_customer_export": _("Finished a customer export"),
    "upsert_customers": _("Created or changed customers by API"),
    "update_portrait_thresholds": _("Changed the thresholds of the portraits"),
    "rotate_field_keys": _("Rotated the field keys"),
}


def make_event_partitions() -> int:
    """Make sure this month and the next three have their partition of events; return how many were asked."""
    now = timezone.now()
    names = [create_month_partition("customers_event", now, ahead=ahead) for ahead in range(MONTHS_AHEAD + 1)]
    return len(names)


def register() -> None:
    """Hand ticks and job runners to their registries."""
    VERBS.update(WORDS)
    register_runner(uploads.JOB, uploads.run_import_job)
    register_runner(exporting.JOB, exporting.run_export_job)
    ticks.register(
        "event_partitions",
        Tick(run=make_event_partitions, every_seconds=6 * 3600, label=_("Make room for next months' events")),
    )
    ticks.register(
        "portraits", Tick(run=follow_news, every_seconds=20, label=_("Renew the portraits with news"))
    )
    ticks.register(
        "portraits_daily",
        Tick(run=refresh_due_blocks, every_seconds=60, label=_("Renew everybody's portrait once a day")),
    )
    ticks.register(
        "sweep_uploads", Tick(run=uploads.sweep_uploads, every_seconds=3600, label=_("Delete old uploads"))
    )
