"""The fields of a rule as staff fill them in; rows of steps and conditions are in `rows`."""

import re
from datetime import time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from notifyhub.core.forms import PageForm
from notifyhub.customers.models import Order
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.reminders.models import RuleVersion
from notifyhub.staff.models import BusinessCalendar, Team

_BETWEEN = re.compile(r"[\s,，、;；]+")
NIGHT = (time(9, 0), time(21, 0))


class EventNames(forms.CharField):
    """Names of events, typed with commas or spaces between; cleans to a list."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        return list(dict.fromkeys(name for name in _BETWEEN.split(text.strip()) if name))

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list | tuple) else value


def _clock(label: Any, initial: time) -> forms.TimeField:
    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    return forms.TimeField(label=label, required=False, initial=initial, widget=widget)


def _amount(label: Any, *, low: int = 1, high: int, help_text: Any = "", **more: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, min_value=low, max_value=high, help_text=help_text, **more
    )


def _ticks(label: Any, choices: Any, **more: Any) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label, choices=choices, required=False, widget=forms.CheckboxSelectMultiple, **more
    )


def _flag(label: Any, help_text: Any = "") -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, help_text=help_text)


def _events(label: Any, help_text: Any = "") -> EventNames:
    widget = forms.TextInput(attrs={"list": "rr-events", "autocomplete": "off", "spellcheck": "false"})
    return EventNames(label=label, required=False, max_length=900, widget=widget, help_text=help_text)


def _word(label: Any, known: str = "", help_text: Any = "", length: int = 60) -> forms.CharField:
    attrs = {"autocomplete": "off", "spellcheck": "false", **({"list": known} if known else {})}
    return forms.CharField(
        label=label,
        required=False,
        max_length=length,
        widget=forms.TextInput(attrs=attrs),
        help_text=help_text,
    )


class RuleForm(PageForm):
    """A rule without its rows. What a start of another kind has is kept while somebody looks around."""

    name = forms.CharField(label=_("Name"), max_length=120)
    owner_team = forms.ModelChoiceField(
        label=_("Owning team"), queryset=Team.objects.filter(active=True), required=False
    )
    example = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    start = forms.ChoiceField(label=_("Starts from"), choices=RuleVersion.Start.choices)
    order_date = forms.ChoiceField(
        label=_("Which date"), choices=RuleVersion.OrderDate.choices, required=False
    )
    profile_field = _word(
        _("Field in the profile"), "rr-fields", _("It holds a date: birthday, membership_ends …")
    )
    yearly = _flag(_("Every year on this day"), _("For birthdays. Otherwise once, on that very date."))
    event_name = _word(
        _("Event"), "rr-events", _("As the platform sends it: cart_abandoned, order_paid …"), 80
    )
    event_date = _word(
        _("Counted from the date in this property"),
        "rr-properties",
        _("Empty: from the moment it happens. For an order's event, check_in or due_at may stand here."),
    )
    subject_property = _word(
        _("About what"),
        "rr-properties",
        _("The property that names it: cart_id, coupon_code. Empty: the order that the event names."),
    )
    again = forms.ChoiceField(
        label=_("If it happens again"), choices=RuleVersion.Again.choices, required=False
    )
    newer_cancels = _flag(
        _("A newer status of the same order replaces what this one has not sent yet"),
        _("Of all rules that tick this, only the latest news of an order goes out."),
    )
    lines = _ticks(_("Only these business lines"), Order.Line.choices, help_text=_("Empty: all."))

    stop_states = _ticks(_("The order is"), Order.State.choices)
    stop_paid = _flag(_("It is paid in full"))
    stop_held = _flag(_("It is on hold: somebody disputes it, or service asked for quiet"))
    stop_events = _events(
        _("One of these happens"), _("Names of events, with commas between: order_paid, arrangement_agreed.")
    )
    stop_matching = forms.ChoiceField(
        label=_("Whose events count"), choices=RuleVersion.Matching.choices, required=False
    )
    stop_reacted = _flag(_("The customer has read or clicked one of its messages"))

    night = _flag(
        _("Not at night"), _("On the customer's own clock. What falls outside waits for the morning.")
    )
    send_from = _clock(_("From"), NIGHT[0])
    send_until = _clock(_("until"), NIGHT[1])
    working_days = _flag(
        _("On working days only"), _("Not on weekends and public holidays, as the calendar has them.")
    )
    calendar = forms.ModelChoiceField(
        label=_("Calendar"),
        queryset=BusinessCalendar.objects.all(),
        required=False,
        empty_label=_("The default calendar"),
    )
    off_day = forms.ChoiceField(
        label=_("On a day off it goes to"), choices=RuleVersion.OffDay.choices, required=False
    )
    grace_hours = _amount(
        _("Still worth sending for, hours"),
        high=720,
        help_text=_("Later than this, after an outage, it is skipped."),
    )
    urgent = _flag(_("Also in quiet hours"), _("For what cannot wait until the morning."))
    priority = forms.TypedChoiceField(
        label=_("Priority"), choices=Priority.choices, coerce=int, required=False, empty_value=None
    )
    max_per_customer = _amount(_("At most per customer"), high=1000)
    max_days = _amount(_("within days"), high=366)
    subject_gap_hours = _amount(_("Hours between two about one subject"), high=8760)
    subject_max = _amount(
        _("At most about one subject"), high=1000, help_text=_("Over all rules, campaigns and calls.")
    )

    goal_states = _ticks(_("The order is"), Order.State.choices)
    goal_paid = _flag(_("It is paid in full"))
    goal_events = _events(_("One of these happens"))
    goal_days = _amount(_("Counted for days"), high=90)
    holdout = _amount(
        _("Holdout, percent"),
        low=0,
        high=50,
        help_text=_("So many get nothing, so that the report can say what the reminders do."),
    )

    def date_field(self) -> str:
        """Return the name of the input that holds the date counted from."""
        return {"order": "order_date", "customer": "profile_field"}.get(
            self["start"].value() or "", "event_date"
        )

    def values(self) -> dict[str, Any]:
        """Return the fields of a RuleSpec without its rows; what was not understood is left out."""
        data = getattr(self, "cleaned_data", {})
        values = {name: data[name] for name in _PLAIN if name in data and data[name] is not None}
        values["date_field"] = data.get(self.date_field()) or ""
        for name in ("max_per_customer", "subject_gap_hours", "subject_max", "owner_team"):
            values[name] = data.get(name)
        for name, choices in (("again", RuleVersion.Again), ("off_day", RuleVersion.OffDay)):
            values[name] = data.get(name) or choices.values[0 if name == "again" else 1]
        values["priority"] = data.get("priority", Priority.BULK)
        if values["priority"] is None:
            values["priority"] = Priority.BULK
        values["stop_matching"] = data.get("stop_matching") or RuleVersion.Matching.SUBJECT
        hours = (data.get("send_from"), data.get("send_until")) if data.get("night") else (None, None)
        values["send_from"], values["send_until"] = hours
        values["calendar"] = data.get("calendar") if data.get("working_days") else None
        return values


_PLAIN = (
    "name",
    "example",
    "start",
    "event_name",
    "yearly",
    "subject_property",
    "newer_cancels",
    "lines",
    "stop_states",
    "stop_paid",
    "stop_held",
    "stop_events",
    "stop_reacted",
    "grace_hours",
    "urgent",
    "working_days",
    "max_days",
    "goal_states",
    "goal_paid",
    "goal_events",
    "goal_days",
    "holdout",
)
