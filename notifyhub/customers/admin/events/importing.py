"""The import of events: the common pages, started from the columns."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext_lazy

from notifyhub.customers.admin.importing import pages
from notifyhub.customers.models import CustomerImport
from notifyhub.customers.services.events.importing.importer import EVENT_IMPORT


class _Events(pages.ImportPage):
    importer = EVENT_IMPORT
    permission_required = "customers.add_event"
    title = gettext_lazy("Import events")
    urls = "admin:customers_event_import"
    home = (gettext_lazy("Event catalogue"), "admin:customers_eventname_changelist")
    here = gettext_lazy("Import events")
    steps = (gettext_lazy("File"), gettext_lazy("Columns"), gettext_lazy("Result"))


class UploadPage(_Events, pages.UploadPage):
    """The file of events."""

    template_name = "customers/events/import/upload.html"


class ColumnsPage(_Events, pages.ColumnsPage):
    """The columns, and the button that starts."""

    template_name = "customers/events/import/columns.html"

    def go_on(self, run: CustomerImport) -> HttpResponse:
        return self.start(run)


class ResultPage(_Events, pages.ResultPage):
    """What became of a file of events."""

    template_name = "customers/events/import/result.html"


class ProblemsFile(_Events, pages.ProblemsFile):
    """Its rows that were not taken."""

    file_name = "events"


class DiscardPage(_Events, pages.DiscardPage):
    """Away with the draft."""


IMPORT_PAGES: dict[str, tuple[str, Any]] = {
    "import/": ("event_import", UploadPage),
    "import/<int:pk>/": ("event_import_columns", ColumnsPage),
    "import/<int:pk>/result/": ("event_import_result", ResultPage),
    "import/<int:pk>/problems/": ("event_import_problems", ProblemsFile),
    "import/<int:pk>/discard/": ("event_import_discard", DiscardPage),
}
