"""Our admin site: the dashboards, the search, and the machine room's pages beside the models'."""

from typing import Any

from django.urls import path
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):
    """The console: each member of staff lands on the dashboard of their job."""

    site_title = "NotifyHub"
    index_title = _("Dashboard")

    def get_urls(self) -> list[Any]:
        from notifyhub.console import views
        from notifyhub.console.operations import views as machine_room

        own = [
            path("card/<str:name>/", self.admin_view(views.card), name="console_card"),
            *(
                path(f"operations/{route}", self.admin_view(view), name=f"console_operations{name}")
                for route, view, name in machine_room.routes
            ),
            path("find/", self.admin_view(views.search), name="console_search"),
        ]
        return [*own, *super().get_urls()]
