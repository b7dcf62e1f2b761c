"""Sending jobs: made, forecast, paused, resumed, cancelled, counted."""

from notifyhub.messaging.services.dispatches.checks import check_chain, longest_wait
from notifyhub.messaging.services.dispatches.control import (
    cancel_dispatch,
    pause_dispatch,
    resume_dispatch,
)
from notifyhub.messaging.services.dispatches.creating import Item, create_dispatch
from notifyhub.messaging.services.dispatches.forecasting import Forecast, forecast
from notifyhub.messaging.services.dispatches.holding import Holding, what_holds
from notifyhub.messaging.services.dispatches.limiting import what_limits
from notifyhub.messaging.services.dispatches.progressing import Progress, progress

__all__ = [
    "Forecast",
    "Holding",
    "Item",
    "Progress",
    "cancel_dispatch",
    "check_chain",
    "create_dispatch",
    "forecast",
    "longest_wait",
    "pause_dispatch",
    "progress",
    "resume_dispatch",
    "what_holds",
    "what_limits",
]
