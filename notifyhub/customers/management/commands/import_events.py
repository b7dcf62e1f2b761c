"""Import events from a CSV or XLSX file."""

from django.utils.translation import gettext as _

from notifyhub.customers.management.importing import ImportCommand
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.events.importing.importer import EVENT_IMPORT
from notifyhub.customers.services.importing.previews import Check


class Command(ImportCommand):
    """Takes a file of events in."""

    help = "Import events from a CSV or XLSX file; killed and run again, it goes on where it stopped."
    importer = EVENT_IMPORT
    map_example = "name, occurred_at, property:city"

    def check_text(self, check: Check) -> str:
        return _("%(good)d rows can be imported, %(bad)d cannot.") % {"good": check.good, "bad": check.bad}

    def result_text(self, run: CustomerImport) -> str:
        return _(
            "%(created)d events taken, %(duplicates)d known before, %(parked)d parked, %(bad)d not "
            "taken, %(people)d customers created."
        ) % run.numbers(self.importer.counts)
