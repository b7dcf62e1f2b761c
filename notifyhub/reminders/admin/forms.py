"""The form of a rule and the lines of its steps."""

from datetime import time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from notifyhub.core.forms import PageForm
from notifyhub.customers.models import Order
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Template
from notifyhub.reminders.models import ReminderRule, ReminderStep
from notifyhub.reminders.services.rules import StepSpec
from notifyhub.staff.models import Team

STEPS = 6


class RuleForm(PageForm):
    """What a rule counts from, what ends it, and by which channels it goes."""

    name = forms.CharField(label=_("Name"), max_length=120)
    anchor = forms.ChoiceField(label=_("Counts from"), choices=ReminderRule.Anchor.choices)
    attribute = forms.CharField(
        label=_("Profile field"),
        max_length=40,
        required=False,
        help_text=_("Only for a customer date: birthday, membership_ends …"),
    )
    lines = forms.MultipleChoiceField(
        label=_("Only these business lines"),
        choices=Order.Line.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    stop_states = forms.MultipleChoiceField(
        label=_("Stops when the order is"),
        choices=Order.State.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Checked again right before each message leaves."),
    )
    chain = forms.MultipleChoiceField(
        label=_("Channels"),
        choices=Channel.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("The first one that reaches the customer is used."),
    )
    grace_hours = forms.IntegerField(
        label=_("Grace, hours"),
        min_value=1,
        max_value=720,
        initial=12,
        help_text=_("A reminder that is later than this, after an outage, is skipped."),
    )
    owner_team = forms.ModelChoiceField(
        label=_("Owning team"), queryset=Team.objects.filter(active=True), required=False
    )


class StepForm(PageForm):
    """One line: 3 days before, at 10:00, by this template."""

    amount = forms.IntegerField(label=_("How many"), min_value=0, max_value=999, required=False)
    unit = forms.ChoiceField(label=_("Unit"), choices=ReminderStep.Unit.choices, initial="days")
    side = forms.ChoiceField(label=_("Before or after"), choices=ReminderStep.Side.choices)
    at_time = forms.TimeField(
        label=_("At, customer's time"),
        initial=time(10, 0),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    template = forms.ModelChoiceField(
        label=_("Template"),
        queryset=Template.objects.filter(archived_at=None).exclude(message_class="promotional"),
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        filled = cleaned.get("amount") is not None
        if filled and not cleaned.get("template") and "template" not in self.errors:
            self.add_error("template", _("Choose the template of this step."))
        if cleaned.get("template") and not filled and "amount" not in self.errors:
            self.add_error("amount", _("Say how many hours or days."))
        return cleaned

    def spec(self) -> StepSpec | None:
        """Return the step, or None for an empty line."""
        data = self.cleaned_data
        if data.get("amount") is None:
            return None
        return StepSpec(**{name: data[name] for name in ("amount", "unit", "side", "at_time", "template")})


StepFormSet = forms.formset_factory(StepForm, extra=0, max_num=STEPS, validate_max=True)


def initial_of(rule: ReminderRule | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the initial data of the rule's form and of its step lines, with empty lines to fill."""
    if rule is None:
        return {"chain": ["push", "sms"], "anchor": ReminderRule.Anchor.ORDER_DUE}, [{}, {}, {}]
    names = ("name", "anchor", "attribute", "lines", "stop_states", "chain", "grace_hours", "owner_team")
    steps = [
        {name: getattr(step, name) for name in ("amount", "unit", "side", "at_time", "template")}
        for step in rule.steps.all()
    ]
    return {name: getattr(rule, name) for name in names}, (steps + [{}])[:STEPS]
