"""The rows of a rule's page: steps, conditions on the event, what leaves a step out."""

from datetime import time
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from notifyhub.core.forms import PageForm
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Template
from notifyhub.reminders.models import ReminderStep
from notifyhub.reminders.registry import SkipField, skip_conditions
from notifyhub.reminders.services.filters import OPERATORS
from notifyhub.reminders.services.rules import StepSpec
from notifyhub.reminders.services.rules.checks import MAX_STEPS

HOPS = (2, 3, 4)
UNTIL = [("delivered", _("it is delivered")), ("read", _("it is read"))]
WAITS: list[tuple[str, Any]] = [
    ("", _("if that cannot be sent")),
    ("900", _("after 15 minutes")),
    ("1800", _("after 30 minutes")),
    ("3600", _("after 1 hour")),
    ("7200", _("after 2 hours")),
    ("14400", _("after 4 hours")),
    ("28800", _("after 8 hours")),
    ("86400", _("after 1 day")),
    ("172800", _("after 2 days")),
]


def _other_wait(value: str) -> list[tuple[str, Any]]:
    """Return the choice for a wait that none of the usual ones is, as the API may have written it."""
    if value in dict(WAITS) or not value.isdecimal() or len(value) > 7:
        return []
    return [(value, ngettext_lazy("after %(n)d second", "after %(n)d seconds", "n") % {"n": int(value)})]


class StepForm(PageForm):
    """One sentence: 3 days before, at 10:00, by push, else SMS after 2 hours unless read, with this text."""

    number = forms.IntegerField(required=False, widget=forms.HiddenInput)
    amount = forms.IntegerField(label=_("How many"), min_value=0, max_value=9999)
    unit = forms.ChoiceField(label=_("Unit"), choices=ReminderStep.Unit.choices)
    side = forms.ChoiceField(label=_("Before or after"), choices=ReminderStep.Side.choices)
    at_time = forms.TimeField(
        label=_("At, customer's time"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    channel_1 = forms.ChoiceField(label=_("Channel"), choices=Channel.choices)
    template = forms.ModelChoiceField(
        label=_("Text"), queryset=Template.objects.filter(archived_at=None), empty_label=_("Choose a text")
    )
    repeat_days = forms.IntegerField(label=_("Again every, days"), required=False, min_value=1, max_value=366)
    repeat_max = forms.IntegerField(label=_("Times in all"), required=False, min_value=2, max_value=60)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "—"), *Channel.choices]
        for hop in HOPS:
            name = f"after_{hop}"
            typed = str(self.data.get(self.add_prefix(name)) or self.initial.get(name) or "")
            self.fields[f"channel_{hop}"] = forms.ChoiceField(
                label=_("Else by"), choices=choices, required=False
            )
            self.fields[f"after_{hop}"] = forms.ChoiceField(
                label=_("When"), choices=[*WAITS, *_other_wait(typed)], required=False
            )
            self.fields[f"until_{hop}"] = forms.ChoiceField(label=_("Unless"), choices=UNTIL, required=False)
            for name in ("channel", "after", "until"):
                self.fields[f"{name}_{hop}"].widget.attrs["class"] = "nh-select"

    @property
    def hops(self) -> list[tuple[Any, Any, Any]]:
        """Return (channel, after, until) of each further channel, as bound fields."""
        return [(self[f"channel_{n}"], self[f"after_{n}"], self[f"until_{n}"]) for n in HOPS]

    def chain(self) -> list[dict[str, Any]]:
        """Return the chain as messaging takes it."""
        data = getattr(self, "cleaned_data", {})
        chain: list[dict[str, Any]] = []
        if data.get("channel_1"):
            chain.append({"channel": data["channel_1"]})
        for hop in HOPS:
            if not data.get(f"channel_{hop}"):
                break
            if data.get(f"after_{hop}") and chain:
                chain[-1] |= {
                    "wait": int(data[f"after_{hop}"]),
                    "until": data.get(f"until_{hop}") or "delivered",
                }
            chain.append({"channel": data[f"channel_{hop}"]})
        return chain

    def spec(self) -> StepSpec | None:
        """Return the step, or None while its number is not given; without a text the page is not valid."""
        data = getattr(self, "cleaned_data", {})
        if data.get("amount") is None:
            return None
        days = data.get("repeat_days")
        return StepSpec(
            amount=data["amount"],
            unit=data.get("unit") or "days",
            side=data.get("side") or "before",
            at_time=data.get("at_time") or time(10, 0),
            chain=self.chain(),
            template=data.get("template"),  # type: ignore[arg-type]
            repeat_days=days,
            repeat_max=data.get("repeat_max") or (2 if days else 1),
            number=data.get("number"),
        )


def step_initial(step: Any) -> dict[str, Any]:
    """Return a step (a row or a StepSpec) as the form begins with."""
    names = ("number", "amount", "unit", "side", "at_time", "repeat_days")
    values: dict[str, Any] = {name: getattr(step, name) for name in names}
    values["template"] = step.template.pk if step.template else None
    values["repeat_max"] = step.repeat_max if step.repeat_days else None
    for place, one in enumerate(step.chain[:4], start=1):
        values[f"channel_{place}"] = one["channel"]
        if one.get("wait"):
            values[f"after_{place + 1}"] = str(one["wait"])
            values[f"until_{place + 1}"] = one.get("until", "delivered")
    return values


class FilterForm(PageForm):
    """One condition on a property of the event."""

    property = forms.CharField(
        label=_("Property"),
        max_length=60,
        widget=forms.TextInput(attrs={"list": "rr-properties", "autocomplete": "off", "spellcheck": "false"}),
    )
    operator = forms.ChoiceField(label=_("Condition"), choices=list(OPERATORS.items()))
    value = forms.CharField(label=_("Value"), max_length=400, required=False)

    def condition(self) -> dict[str, Any] | None:
        """Return it as a version keeps it, or None while it has no property."""
        data = getattr(self, "cleaned_data", {})
        if not data.get("property") or not data.get("operator"):
            return None
        found = {"property": data["property"], "operator": data["operator"]}
        return found if data["operator"] == "exists" else {**found, "value": data.get("value") or ""}


class SkipForm(PageForm):
    """One reason to leave a step out, with the parameters of its kind."""

    kind = forms.ChoiceField(label=_("Left out when"), choices=())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = skip_conditions.items()
        self.fields["kind"].choices = [(name, one.label) for name, one in known]  # type: ignore[attr-defined]
        chosen = str(self["kind"].value() or (known[0][0] if known else ""))
        found = skip_conditions.get(chosen)
        self.asked = found.fields if found else ()
        for one in self.asked:
            self.fields[f"p_{one.name}"] = _field_of(one)

    @property
    def params(self) -> list[Any]:
        """Return the bound fields of the parameters."""
        return [self[f"p_{one.name}"] for one in self.asked]

    def condition(self) -> dict[str, Any] | None:
        """Return it as a version keeps it, or None while its kind is unknown."""
        data = getattr(self, "cleaned_data", {})
        if not data.get("kind"):
            return None
        given = {one.name: _typed(one, data.get(f"p_{one.name}")) for one in self.asked}
        return {
            "kind": data["kind"],
            **{name: value for name, value in given.items() if value not in (None, "")},
        }


def _typed(one: SkipField, value: Any) -> Any:
    """Return a chosen row's id as a number, anything else as it is."""
    chosen = one.kind == "choice" and isinstance(value, str) and value.isdecimal() and len(value) < 19
    return int(value) if chosen else value


def _field_of(one: SkipField) -> forms.Field:
    kind = "nh-select" if one.kind == "choice" else "nh-input"
    more: dict[str, Any] = {"label": one.label, "initial": one.default, "required": False}
    if one.kind == "number":
        field: forms.Field = forms.IntegerField(min_value=0, **more)
    elif one.kind == "choice" and one.choices is not None:
        field = forms.ChoiceField(choices=list(one.choices()), **more)
    else:
        known = {"list": "rr-events", "autocomplete": "off"} if one.kind == "event" else {}
        field = forms.CharField(max_length=120, widget=forms.TextInput(attrs=known), **more)
    field.widget.attrs["class"] = kind
    return field


StepFormSet = forms.formset_factory(
    StepForm, extra=0, max_num=MAX_STEPS, validate_max=True, absolute_max=MAX_STEPS + 1
)
FilterFormSet = forms.formset_factory(FilterForm, extra=0, max_num=10, validate_max=True, absolute_max=11)
SkipFormSet = forms.formset_factory(SkipForm, extra=0, max_num=10, validate_max=True, absolute_max=11)
SETS: dict[str, Any] = {"step": StepFormSet, "filter": FilterFormSet, "skip": SkipFormSet}
