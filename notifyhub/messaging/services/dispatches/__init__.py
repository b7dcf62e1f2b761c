"""Sending jobs: made, forecast, paused, resumed, cancelled, counted."""

from notifyhub.messaging.services.dispatches.control import (
    cancel_dispatch,
    pause_dispatch,
    resume_dispatch,
)
from notifyhub.messaging.services.dispatches.creating import Item, create_dispatch
from notifyhub.messaging.services.dispatches.forecasting import Forecast, forecast
from notifyhub.messaging.services.dispatches.progressing import Progress, progress

__all__ = [
    "Forecast",
    "Item",
    "Progress",
    "cancel_dispatch",
    "create_dispatch",
    "forecast",
    "pause_dispatch",
    "progress",
    "resume_dispatch",
]
