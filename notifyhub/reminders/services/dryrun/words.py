"""Why something goes or does not, in sentences."""

from typing import Any

from django.utils.translation import gettext as _

from notifyhub.core.templatetags.nh import when
from notifyhub.customers.models import Customer, Order
from notifyhub.customers.words import attribute_words, event_words
from notifyhub.reminders.models import Reminder, RuleVersion
from notifyhub.reminders.registry import describe_condition

Reason = Reminder.Reason
State = Reminder.State


def stop_words(why: str) -> str:
    """Return the sentence for what `stopping.WHY` says, as `reason:detail`."""
    reason, _colon, detail = why.partition(":")
    if reason == Reason.ORDER_STATE:
        return _("Not sent: the order is “%s”.") % Order.State(detail).label
    if reason == Reason.PAID:
        return _("Not sent: it is paid in full.")
    if reason == Reason.HELD:
        return _("Not sent while this is on hold: %s.") % (detail or "—")
    if reason == Reason.EVENT:
        return _("Not sent: “%s” has happened.") % event_words(detail)
    if reason == Reason.NEWER:
        return _("Not sent: the newer “%s” has replaced it.") % event_words(detail)
    if reason == Reason.REACTED:
        return _("Not sent: a message about it was read or clicked.")
    return _("Not sent: %s.") % Reason(reason).label


def row_words(row: dict[str, Any]) -> tuple[str, str] | None:
    """Return words and tone of a due row that is settled already; None if there is none, or it is to come.

    One that stopped for a reason that is gone, or for a date that has moved, is judged anew.
    """
    state, reason = row["state"], row["reason"]
    if state == State.DISPATCHED and not reason:
        return _("Handed to sending already; it goes once."), "blue"
    if state == State.DISPATCHED:
        return _("It was handed to sending and kept back.") + " " + stop_words(
            f"{reason}:{row['detail']}"
        ), "grey"
    if state == State.SKIPPED and reason == Reason.CONDITION and row["row_due"] == row["due_at"]:
        return _("Skipped already: %s.") % describe_condition(row["detail"]), "grey"
    if state == State.SKIPPED and row["row_due"] == row["due_at"]:
        return _("Skipped already: %s.") % Reason(reason).label, "grey"
    return None


def moved_words(row: dict[str, Any]) -> str:
    """Return a sentence for a time that send hours or days off moved, or nothing."""
    if row["wanted_at"] == row["due_at"]:
        return ""
    return " " + _("Moved from %s by the hours and days of the rule.") % when(row["wanted_at"])


def nothing_words(version: RuleVersion, customer: Customer) -> str:
    """Return why the version has no date of this customer to count from."""
    field = version.date_field
    if version.start == RuleVersion.Start.CUSTOMER:
        if field not in customer.attributes:
            return _("The profile has no field “%s”.") % attribute_words(field)
        return _(
            "“%s” in the profile is not a date such as 1990-05-17, or that date is long past or far ahead."
        ) % attribute_words(field)
    if version.start == RuleVersion.Start.EVENT:
        return _(
            "No “%(event)s” of this customer in the last 60 days has a date in “%(field)s” and fits."
        ) % {"event": event_words(version.event_name), "field": field}
    dated = Order.objects.filter(customer=customer, **{f"{field}__isnull": False})
    lines = set(dated.values_list("line", flat=True).distinct())
    if not lines:
        return _("This customer has no order with that date.")
    if version.lines and not lines & set(version.lines):
        return _("The orders with that date belong to other business lines.")
    return _("Every such date is long past or more than a year ahead.")
