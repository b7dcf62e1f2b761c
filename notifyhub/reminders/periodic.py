"""The ticks of reminders; each is idempotent and puts right what a lost doorbell or process left."""

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import Tick, ticks
from notifyhub.reminders.services.following import follow_news
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.reminders.services.sending import send_due_reminders


def register() -> None:
    """Hand the ticks to the registry."""
    every = settings.TICK_SECONDS
    for name, run, seconds, label in (
        ("plan_reminders", plan_reminders, 2 * every, _("Plan due reminders")),
        ("follow_reminders", follow_news, every, _("Hear what happened to those who are reminded")),
        ("send_reminders", send_due_reminders, every, _("Send due reminders")),
    ):
        ticks.register(name, Tick(run=run, every_seconds=seconds, label=label))
