"""The ticks and jobs of the customers app that bring data in and out."""

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.core.partitions import create_month_partition
from notifyhub.core.registry import Tick, ticks
from notifyhub.customers.services import exporting
from notifyhub.customers.services.events.catalogue import count_events
from notifyhub.customers.services.events.importing.importer import EVENT_IMPORT
from notifyhub.customers.services.events.retention import forget_events
from notifyhub.customers.services.events.waiting import forget_parked, match_parked
from notifyhub.customers.services.importing.customers import CUSTOMER_IMPORT
from notifyhub.customers.services.importing.uploads import sweep_uploads
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
    "retry_parked_events": _("Tried parked events again"),
    "discard_parked_events": _("Discarded parked events"),
    "add_event_name": _("Added an event to the catalogue"),
    "describe_event": _("Described an event or property"),
    "add_event_mapping": _("Added an event mapping"),
    "change_event_mapping": _("Changed an event mapping"),
    "remove_event_mapping": _("Removed an event mapping"),
    "change_event_policy": _("Changed the policy for unknown customers"),
    "import_events": _("Imported events"),
    "finish_event_import": _("Finished an import of events"),
    "update_portrait_thresholds": _("Changed the thresholds of the portraits"),
}


def make_event_partitions() -> int:
    """Make sure this month and the next three have their partition of events; return how many were asked."""
    now = timezone.now()
    names = [create_month_partition("customers_event", now, ahead=ahead) for ahead in range(MONTHS_AHEAD + 1)]
    return len(names)


def register() -> None:
    """Hand ticks and job runners to their registries."""
    VERBS.update(WORDS)
    for importer in (CUSTOMER_IMPORT, EVENT_IMPORT):
        register_runner(importer.verb, importer.run_job)
    register_runner(exporting.JOB, exporting.run_export_job)
    ticks.register(
        "event_partitions",
        Tick(run=make_event_partitions, every_seconds=6 * 3600, label=_("Make room for next months' events")),
    )
    ticks.register(
        "count_events", Tick(run=count_events, every_seconds=10, label=_("Count events into the catalogue"))
    )
    ticks.register(
        "match_parked", Tick(run=match_parked, every_seconds=60, label=_("Try parked events again"))
    )
    ticks.register(
        "forget_parked", Tick(run=forget_parked, every_seconds=3600, label=_("Forget old parked events"))
    )
    ticks.register("forget_events", Tick(run=forget_events, every_seconds=3600, label=_("Forget old events")))
    ticks.register(
        "portraits", Tick(run=follow_news, every_seconds=20, label=_("Renew the portraits with news"))
    )
    ticks.register(
        "portraits_daily",
        Tick(run=refresh_due_blocks, every_seconds=60, label=_("Renew everybody's portrait once a day")),
    )
    ticks.register(
        "sweep_uploads", Tick(run=sweep_uploads, every_seconds=3600, label=_("Delete old uploads"))
    )
