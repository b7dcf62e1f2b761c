"""The reminders app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RemindersConfig(AppConfig):
    """Opens the reminders app's roads to the registries."""

    name = "notifyhub.reminders"
    label = "reminders"
    verbose_name = _("Schedules")
