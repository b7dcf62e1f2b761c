"""The feedback app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class FeedbackConfig(AppConfig):
    """Opens the feedback app's roads to the registries."""

    name = "feedback"
    label = "feedback"
    verbose_name = _("Customer service")

    def ready(self) -> None:
        from feedback import demo, receivers, roads, roles
        from feedback.services.categories import ensure_after_migrate

        roles.register()
        roads.register()
        receivers.connect()
        demo.register()
        post_migrate.connect(ensure_after_migrate, sender=self)
