"""The messaging app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """Opens the messaging app's roads to the registries."""

    name = "notifyhub.messaging"
    label = "messaging"
    verbose_name = _("Messages")

    def ready(self) -> None:
        from notifyhub.messaging import navigation, roles

        roles.register()
        navigation.register()
