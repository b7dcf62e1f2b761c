"""The feedback app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FeedbackConfig(AppConfig):
    """Opens the feedback app's roads to the registries."""

    name = "feedback"
    label = "feedback"
    verbose_name = _("Customer service")
