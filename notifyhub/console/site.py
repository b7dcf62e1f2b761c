"""Our admin site."""

from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):
    """The console: each member of staff lands on the dashboard of their job."""

    site_title = "NotifyHub"
    index_title = _("Dashboard")
