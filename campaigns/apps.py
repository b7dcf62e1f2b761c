"""The campaigns app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    """Opens the campaigns app's roads to the registries."""

    name = "campaigns"
    label = "campaigns"
    verbose_name = _("Marketing")

    def ready(self) -> None:
        from campaigns import cards, demo, receivers, roads, roles

        roles.register()
        roads.register()
        cards.register()
        demo.register()
        receivers.register()
