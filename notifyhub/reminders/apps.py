"""The reminders app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RemindersConfig(AppConfig):
    """Opens the reminders app's roads to the registries."""

    name = "notifyhub.reminders"
    label = "reminders"
    verbose_name = _("Schedules")

    def ready(self) -> None:
        from notifyhub.messaging.registry import item_variables, stop_conditions
        from notifyhub.messaging.signals import overdue_cancelled
        from notifyhub.reminders import demo, panels, roles
        from notifyhub.reminders.sending import STOP_SQL, reminder_variables
        from notifyhub.reminders.services.sending import ORIGIN, on_overdue_cancelled

        roles.register()
        panels.register()
        demo.register()
        item_variables.register(ORIGIN, reminder_variables)
        stop_conditions.register(ORIGIN, STOP_SQL)
        overdue_cancelled.connect(on_overdue_cancelled)
