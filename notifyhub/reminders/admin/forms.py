"""The form of a rule and the lines of its steps."""

import json
from datetime import time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.core.forms import PageForm
from notifyhub.customers.models import Order
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Template
from notifyhub.reminders.models import ReminderRule, ReminderStep
from notifyhub.reminders.services.rules import DEFAULT_STOPS, StepSpec
from notifyhub.staff.models import Team

STEPS = 6
PLACES = ("chain_1", "chain_2", "chain_3")
FIELDS = ("name", "anchor", "attribute", "lines", "stop_states", "grace_hours", "owner_team")


class RuleForm(PageForm):
    """What a rule counts from, what ends it, and by which channels it goes."""

    name = forms.CharField(label=_("Name"), max_length=120)
    anchor = forms.ChoiceField(
        label=_("Counts from"),
        choices=ReminderRule.Anchor.choices,
        # The page's script offers the stops that suit the date.
        widget=forms.Select(attrs={"data-stops": json.dumps(DEFAULT_STOPS)}),
    )
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
        help_text=_(
            "Checked again right before each message leaves. A bill that is paid in full stops by itself."
        ),
    )
    chain_1 = forms.ChoiceField(label=_("First channel"), choices=Channel.choices)
    chain_2 = forms.ChoiceField(label=_("Else by"), required=False)
    chain_3 = forms.ChoiceField(label=_("Else by"), required=False)
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

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in PLACES[1:]:
            self.fields[name].choices = [("", "—"), *Channel.choices]  # type: ignore[attr-defined]

    def values(self) -> dict[str, Any]:
        """Return what the service takes; the form must be valid."""
        chain = [self.cleaned_data[name] for name in PLACES if self.cleaned_data[name]]
        return {**{name: self.cleaned_data[name] for name in FIELDS}, "chain": chain}

    def refuse(self, refusal: Refused) -> None:
        if refusal.field == "chain":
            refusal.field = PLACES[0]
        super().refuse(refusal)


class StepForm(PageForm):
    """One line: 3 days before, at 10:00, by this template."""

    number = forms.IntegerField(required=False, widget=forms.HiddenInput)
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
        names = ("amount", "unit", "side", "at_time", "template", "number")
        return StepSpec(**{name: data[name] for name in names})


StepFormSet = forms.formset_factory(
    StepForm, extra=0, max_num=STEPS, validate_max=True, absolute_max=STEPS + 1
)


def initial_of(rule: ReminderRule | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the initial data of the rule's form and of its step lines, with empty lines to fill."""
    if rule is None:
        anchor = ReminderRule.Anchor.ORDER_DUE
        first: dict[str, Any] = {"anchor": anchor, "stop_states": DEFAULT_STOPS[anchor]}
        return {**first, "chain_1": "push", "chain_2": "sms"}, [{}, {}, {}]
    steps = [
        {name: getattr(step, name) for name in ("number", "amount", "unit", "side", "at_time", "template")}
        for step in rule.steps.all()
    ]
    values = {name: getattr(rule, name) for name in FIELDS}
    values |= dict(zip(PLACES, rule.chain, strict=False))
    return values, [*steps, {}][:STEPS]


def saved_otherwise(rule: ReminderRule, form: RuleForm) -> list[tuple[Any, str]]:
    """Return (label, what is saved) for each entry that differs from what somebody else saved meanwhile."""
    saved = initial_of(rule)[0]
    differing = []
    for name, field in form.fields.items():
        typed, kept = form.cleaned_data.get(name), saved.get(name)
        if (list(typed) if isinstance(typed, list) else typed or "") == (
            list(kept) if isinstance(kept, list) else kept or ""
        ):
            continue
        choices = dict(getattr(field, "choices", ()) if name != "owner_team" else ())
        values = kept if isinstance(kept, list) else [kept]
        differing.append((field.label, ", ".join(str(choices.get(v, v)) for v in values if v) or "—"))
    return differing
