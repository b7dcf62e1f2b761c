"""The messaging app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """Opens the messaging app's roads to the registries."""

    name = "notifyhub.messaging"
    label = "messaging"
    verbose_name = _("Messages")

    def ready(self) -> None:
        from notifyhub.messaging import (
            customer_page,
            demo,
            digests,
            doctor,
            navigation,
            origins,
            personal_data,
            roles,
            ticks,
        )
        from notifyhub.messaging.channels.registry import register_backends
        from notifyhub.messaging.defaults import create_defaults
        from notifyhub.messaging.services import retiming
        from notifyhub.messaging.services.halts import restored

        roles.register()
        navigation.register()
        customer_page.register()
        personal_data.register()
        origins.register()
        register_backends()
        ticks.register()
        digests.register()
        demo.register()
        doctor.register()
        restored.register()
        retiming.register()
        post_migrate.connect(create_defaults, sender=self)
