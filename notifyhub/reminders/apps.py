"""The reminders app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RemindersConfig(AppConfig):
    """Opens the reminders app's roads to the registries."""

    name = "notifyhub.reminders"
    label = "reminders"
    verbose_name = _("Schedules")

    def ready(self) -> None:
        from notifyhub.customers.signals import customers_merged, customers_unmerged, events_recorded
        from notifyhub.messaging.registry import item_variables, stop_conditions
        from notifyhub.messaging.signals import deliveries_settled, dispatch_finished, overdue_cancelled
        from notifyhub.reminders import conditions, demo, panels, periodic, roles
        from notifyhub.reminders.sending import reminder_variables
        from notifyhub.reminders.services.following import on_events_recorded
        from notifyhub.reminders.services.people import on_customers_merged, on_customers_unmerged
        from notifyhub.reminders.services.sending import ORIGIN, on_overdue_cancelled
        from notifyhub.reminders.services.stopping import STOP_SQL
        from notifyhub.reminders.services.writing_back import on_deliveries_settled, on_dispatch_finished

        roles.register()
        panels.register()
        periodic.register()
        conditions.register()
        demo.register()
        item_variables.register(ORIGIN, reminder_variables)
        stop_conditions.register(ORIGIN, STOP_SQL)
        overdue_cancelled.connect(on_overdue_cancelled)
        deliveries_settled.connect(on_deliveries_settled)
        dispatch_finished.connect(on_dispatch_finished)
        events_recorded.connect(on_events_recorded)
        customers_merged.connect(on_customers_merged)
        customers_unmerged.connect(on_customers_unmerged)
