"""One due row in a sentence: what happened or will, and why."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifyhub.core.templatetags.nh import when
from notifyhub.customers.models import Customer, Order
from notifyhub.customers.words import event_words
from notifyhub.messaging.models import Delivery
from notifyhub.reminders.models import Occasion, Reminder, ReminderRule
from notifyhub.reminders.registry import describe_condition
from notifyhub.reminders.words.steps import channel_label

State = Reminder.State
Reason = Reminder.Reason
# What may have reached somebody, or still may.
WENT = (
    Delivery.State.PLANNED,
    Delivery.State.UNKNOWN,
    Delivery.State.SENT,
    Delivery.State.DELIVERED,
    Delivery.State.FAILED,
    Delivery.State.BOUNCED,
)


def why_words(row: Any) -> str:
    """Return why a row or an occasion ended, with what exactly it was."""
    if not row.reason:
        return ""
    label = str(type(row).Reason(row.reason).label) if row.reason in type(row).Reason.values else row.reason
    detail = _detail_words(row.reason, row.detail)
    return f"{label} ({detail})" if detail else label


def _detail_words(reason: str, detail: str) -> str:
    """Return what exactly it was as people say it; what has no words stays as it was stored."""
    states: dict[str, Any] = {
        Reason.ORDER_STATE: Order.State,
        Reason.RULE_OFF: ReminderRule.State,
        Reason.CUSTOMER_GONE: Customer.State,
    }
    if reason in states and detail in states[reason].values:
        return str(states[reason](detail).label)
    if reason in (Reason.EVENT, Reason.NEWER):
        return str(event_words(detail))
    if reason == Reason.CONDITION:
        return describe_condition(detail)
    if reason == Reason.REACTED:
        return channel_label(detail)
    if reason == Reason.CUSTOMER_MAX and " / " in detail:
        most, days = detail.split(" / ", 1)
        return _("at most %(n)s within %(days)s days") % {"n": most, "days": days}
    if reason == Reason.SUBJECT_GAP and detail:
        return _("at least %s hours between two") % detail
    return detail


def moved_words(reminder: Reminder, holiday: str) -> str:
    """Return from where its time was moved and why; "" where it was not."""
    if reminder.wanted_at is None or reminder.wanted_at == reminder.due_at:
        return ""
    said = {"when": when(reminder.wanted_at), "day": holiday}
    if holiday:
        return _("Moved from %(when)s, a day off (%(day)s).") % said
    return _("Moved from %(when)s by the hours and working days of the rule.") % said


def message_words(delivery: Delivery) -> str:
    """Return what became of one message."""
    said = {"channel": channel_label(delivery.channel), "state": Delivery.State(delivery.state).label}
    if delivery.reason:
        said["reason"] = Delivery.Reason(delivery.reason).label
        return _("%(channel)s: %(state)s, %(reason)s.") % said
    if delivery.read_at:
        return _("%(channel)s: delivered %(at)s, read %(read)s.") % {
            **said,
            "at": when(delivery.delivered_at or delivery.settled_at),
            "read": when(delivery.read_at),
        }
    if delivery.delivered_at:
        return _("%(channel)s: delivered %(at)s.") % {**said, "at": when(delivery.delivered_at)}
    if delivery.settled_at:
        return _("%(channel)s: %(state)s %(at)s.") % {**said, "at": when(delivery.settled_at)}
    if delivery.state == Delivery.State.PLANNED:
        return _("%(channel)s: waits to be sent %(at)s.") % {**said, "at": when(delivery.send_at)}
    return f"{said['channel']}: {said['state']}."


def reminder_words(reminder: Reminder, messages: list[Delivery], *, holiday: str = "") -> list[str]:
    """Return the sentences that explain the row; the first one says the most."""
    occasion = reminder.occasion
    settled = when(reminder.settled_at)
    said: list[str] = []
    if reminder.state == State.PLANNED and occasion.held_out:
        said.append(_("Will not go: this customer is held out, to measure what the reminders do."))
    elif reminder.state == State.PLANNED:
        said.append(
            _("Goes %s, unless its reason is gone by then; it is asked again right before.")
            % when(reminder.due_at)
        )
    elif reminder.state == State.DISPATCHED:
        if reminder.reason:
            said.append(_("Kept back right before sending: %s.") % why_words(reminder))
        said += [message_words(message) for message in reversed(messages)]
        if messages and not any(message.state in WENT for message in messages):
            said[0] = f"{_('Not sent.')} {said[0]}"
        said.append(_("Handed to sending %s.") % settled)
    elif reminder.state == State.STOPPED:
        said.append(_("Not sent. Stopped %(at)s: %(why)s.") % {"at": settled, "why": why_words(reminder)})
        if reminder.reason in (Reason.PAID, Reason.ORDER_STATE) and occasion.order is not None:
            said.append(_("The platform said so %s.") % when(occasion.order.told_at))
    else:
        said.append(_("Not sent. Skipped %(at)s: %(why)s.") % {"at": settled, "why": why_words(reminder)})
        if reminder.reason == Reason.LATE:
            hours = occasion.rule_version.grace_hours
            text = ngettext(
                "It was due %(due)s, and by its rule it may go up to %(n)d hour late.",
                "It was due %(due)s, and by its rule it may go up to %(n)d hours late.",
                hours,
            )
            said.append(text % {"due": when(reminder.due_at), "n": hours})
    moved = moved_words(reminder, holiday)
    return [*said, moved] if moved else said


def occasion_words(occasion: Occasion) -> str:
    """Return how the whole occasion stands."""
    if occasion.state == Occasion.State.RUNNING:
        return _("It is running since %s.") % when(occasion.started_at)
    if occasion.state == Occasion.State.DONE or occasion.done_at:
        return _("Done %s: what it is for was reached.") % when(occasion.done_at or occasion.ended_at)
    if occasion.state == Occasion.State.STOPPED:
        return _("It ended %(at)s: %(why)s.") % {"at": when(occasion.ended_at), "why": why_words(occasion)}
    return _("All its steps are through since %s.") % when(occasion.ended_at)
