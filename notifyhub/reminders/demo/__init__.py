"""Demo reminders: five rules at work for a week, one in the drawer, and what comes next.

The week is lived through in order, on a clock that is moved along: each half day what was due goes out for
real into the sandbox, then some customers pay, and what they paid for stops. Only the times of the messages
are moved afterwards.
"""

from collections.abc import Callable

from django.utils import timezone

from notifyhub.core.registry import demo_loaders
from notifyhub.reminders.demo.rules import make_rules
from notifyhub.reminders.demo.week import date_what_was_sent, live
from notifyhub.reminders.models import Reminder, ReminderRule
from notifyhub.reminders.services.planning import plan_reminders
from notifyhub.staff.context import Actor, acting
from notifyhub.staff.models import User

OWNER = "linxia"


def load(say: Callable[[str], None]) -> None:
    """Make the rules, live through their week, and plan what is next."""
    owner = User.objects.get(username=OWNER)
    now = timezone.now()
    with acting(Actor(kind="staff", id=owner.pk, name=str(owner))):
        make_rules(owner)
    live(now)
    date_what_was_sent()
    ReminderRule.objects.update(planned_at=None)
    plan_reminders()
    by_state = {state: Reminder.objects.filter(state=state).count() for state in Reminder.State.values}
    say(
        f"{ReminderRule.objects.count()} reminder rules: {by_state['dispatched']:,} reminders sent, "
        f"{by_state['stopped']:,} stopped, {by_state['planned']:,} due within a week"
    )


def register() -> None:
    """Hand the loader to the registry."""
    demo_loaders.register("reminders", load, order=25)
