"""The customers app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CustomersConfig(AppConfig):
    """Opens the customers app's roads to the registries."""

    name = "notifyhub.customers"
    label = "customers"
    verbose_name = _("Customers")

    def ready(self) -> None:
        from notifyhub.customers import (
            demo,
            hits,
            navigation,
            periodic,
            personal_data,
            roles,
            segment_fields,
            watching,
        )
        from notifyhub.customers.services import timeline

        roles.register()
        segment_fields.register()
        personal_data.register()
        timeline.register()
        navigation.register()
        periodic.register()
        hits.register()
        watching.register()
        demo.register()
