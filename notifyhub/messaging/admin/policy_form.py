"""The form of a sending policy: only what means something for its class, and a row per channel."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.looks import CHANNEL_ICONS
from notifyhub.messaging.models import ChannelPolicy, SendingPolicy
from notifyhub.messaging.services.policies import FIELDS, HOURS, RANGES, REQUIRED, RULES, rule_field

LABELS: dict[str, tuple[Any, Any]] = {
    "quiet_from": (_("Quiet from"), _("By the customer's clock. Messages wait, none is dropped.")),
    "quiet_until": (_("Quiet until"), _("May lie after midnight. Equal times mean no quiet hours.")),
    "cap_day": (_("At most a day"), _("Per customer, over all channels, campaigns and reminders.")),
    "cap_week": (_("At most in 7 days"), _("Today and the six days before.")),
    "subject_gap_hours": (
        _("Same subject again after, hours"),
        _("One order or bill, over all rules, campaigns and calls."),
    ),
    "subject_max": (_("At most about one subject"), _("In 90 days.")),
    "duplicate_hours": (
        _("Same text again after, hours"),
        _("Sooner than that it is skipped. 0: the same text may go at any time."),
    ),
    "target_seconds": (
        _("On time within, seconds"),
        _("From the moment it is due until it is handed over; shown under Operations."),
    ),
}


def _field(name: str, *, short: bool) -> forms.Field:
    label, help_text = LABELS[name]
    given: dict[str, Any] = {"label": label, "help_text": "" if short else help_text}
    if name in HOURS:
        widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
        return forms.TimeField(required=False, widget=widget, **given)
    low, high = RANGES[name]
    widget_attrs = {"inputmode": "numeric"}
    return forms.IntegerField(
        required=name in REQUIRED,
        min_value=low,
        max_value=high,
        widget=forms.NumberInput(attrs=widget_attrs),
        **given,
    )


class PolicyForm(forms.Form):
    """What one message class may use. Fields of a channel are named channel__field."""

    channels = forms.MultipleChoiceField(
        label=_("Allowed channels"),
        choices=Channel.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "nh-checks"}),
        help_text=_("Messages of this class on other channels are skipped."),
    )
    expected_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, policy: SendingPolicy) -> None:
        self.policy = policy
        self.plain = FIELDS[policy.message_class]
        self.rule_names = RULES[policy.message_class]
        initial: dict[str, Any] = {name: getattr(policy, name) for name in self.plain}
        initial["expected_version"] = policy.version
        for rule in ChannelPolicy.objects.filter(policy=policy) if self.rule_names else ():
            initial |= {rule_field(rule.channel, name): getattr(rule, name) for name in self.rule_names}
        super().__init__(data, initial=initial)
        for name in self.plain:
            if name in LABELS:
                self.fields[name] = _field(name, short=False)
        for channel in Channel if self.rule_names else ():
            for name in self.rule_names:
                field = _field(name, short=True)
                # The table's head is for the eye; who hears the page needs the channel as well.
                field.widget.attrs["aria-label"] = f"{channel.label}: {field.label}"
                self.fields[rule_field(channel.value, name)] = field

    def plain_fields(self, *names: str) -> list[forms.BoundField]:
        """Return those of the named fields that the class has."""
        return [self[name] for name in names if name in self.fields]

    def hours(self) -> list[forms.BoundField]:
        """Return the quiet hours."""
        return self.plain_fields(*HOURS)

    def limits(self) -> list[forms.BoundField]:
        """Return the caps, the limits of a subject and of a text."""
        return self.plain_fields("cap_day", "cap_week", "subject_gap_hours", "subject_max", "duplicate_hours")

    def rows(self) -> Iterator[tuple[str, Any, str, list[forms.BoundField]]]:
        """Return (channel, label, icon, its fields) for the table of channels."""
        for channel in Channel if self.rule_names else ():
            cells = [self[rule_field(channel.value, name)] for name in self.rule_names]
            yield channel.value, channel.label, CHANNEL_ICONS[channel], cells

    def heads(self) -> list[Any]:
        """Return the heads of the table's columns."""
        return [LABELS[name][0] for name in self.rule_names]

    def changes(self) -> dict[str, Any]:
        """Return the plain values that were changed."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.plain}

    def rules(self) -> dict[str, dict[str, Any]]:
        """Return the rules of those channels of which something was changed."""
        found = {}
        for channel in Channel.values:
            names = {rule_field(channel, name): name for name in self.rule_names}
            if set(names) & set(self.changed_data):
                found[channel] = {name: self.cleaned_data[field] for field, name in names.items()}
        return found
