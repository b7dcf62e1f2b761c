"""The core app: no models, only template tags and bases."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    """Makes the house's template tags known."""

    name = "notifyhub.core"
    label = "core"
    verbose_name = _("Core")
