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
            portrait,
            roles,
            segment_fields,
            trait_fields,
            watching,
        )
        from notifyhub.customers.services import timeline
        from notifyhub.customers.services.events import waiting

        roles.register()
        segment_fields.register()
        trait_fields.register()
        portrait.register()
        personal_data.register()
        timeline.register()
        waiting.register()
        navigation.register()
        periodic.register()
        hits.register()
        watching.register()
        demo.register()
