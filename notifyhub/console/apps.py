"""Two app configs: the admin app with our site as its default, and the console itself."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class ConsoleAdminConfig(AdminConfig):
    """django.contrib.admin with our site; listed by full path, since unfold would put its own in place."""

    default_site = "notifyhub.console.site.ConsoleSite"


class ConsoleConfig(AppConfig):
    """The console app."""

    name = "notifyhub.console"
    label = "console"
    verbose_name = _("Console")

    def ready(self) -> None:
        from notifyhub.console import registrations

        registrations.register()
