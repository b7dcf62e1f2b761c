"""Import and export pages of the customer list: upload, columns, consent, start, result."""

from typing import Any

from django.urls import path

from notifyhub.customers.admin.exporting import ExportPage
from notifyhub.customers.admin.importing.customers import (
    ColumnsPage,
    ConfirmPage,
    ConsentPage,
    DiscardPage,
    ProblemsFile,
    ResultPage,
    UploadPage,
)


class ImportExportPages:
    """Mix into the admin of customers: adds the addresses, and says which buttons the viewer may see.

    The list shows the buttons with `{% include "customers/import/buttons.html" %}`.
    """

    admin_site: Any

    def get_urls(self) -> list[Any]:
        """Return the pages' addresses before the ones of the admin."""
        views: dict[str, tuple[str, Any]] = {
            "import/": ("import", UploadPage),
            "import/<int:pk>/": ("import_columns", ColumnsPage),
            "import/<int:pk>/consent/": ("import_consent", ConsentPage),
            "import/<int:pk>/confirm/": ("import_confirm", ConfirmPage),
            "import/<int:pk>/result/": ("import_result", ResultPage),
            "import/<int:pk>/problems/": ("import_problems", ProblemsFile),
            "import/<int:pk>/discard/": ("import_discard", DiscardPage),
            "export/": ("export", ExportPage),
        }
        own = [
            path(
                address,
                self.admin_site.admin_view(view.as_view(model_admin=self)),
                name=f"customers_customer_{name}",
            )
            for address, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]
