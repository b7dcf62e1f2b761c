"""The guided form of a watch rule."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from notifyhub.core.forms import PageForm
from notifyhub.customers.models import WatchRule
from notifyhub.customers.services.watch.rules import teams
from notifyhub.staff.roles import ROLES

UNITS = {"minutes": 1, "hours": 60, "days": 1440}
PLAIN = ("name", "kind", "scope", "count", "holds", "hold_hours", "tell_team", "tell_role", "owner_team")
LISTS = ("first", "second", "unless", "properties")


class NamesField(forms.CharField):
    """Names with commas between them, shown as chips by the page's script."""

    def __init__(self, *, known: str, **kwargs: Any) -> None:
        attrs = {"data-chips": "", "list": known, "autocomplete": "off"}
        kwargs.setdefault("required", False)
        super().__init__(max_length=500, widget=forms.TextInput(attrs=attrs), **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value) or ""
        return [part.strip() for part in text.replace("，", ",").split(",") if part.strip()]


class RuleForm(PageForm):
    """What is watched, who is told, what is held."""

    name = forms.CharField(label=_("Name"), max_length=120)
    kind = forms.ChoiceField(label=_("What should not happen"), choices=WatchRule.Kind.choices)
    first = NamesField(
        label=_("Event"),
        known="known-events",
        required=True,
        help_text=_("Like order_paid. Several: any of them."),
    )
    second = NamesField(label=_("Second event"), known="known-events")
    unless = NamesField(label=_("Unless there was"), known="known-events")
    properties = NamesField(
        label=_("With the same"), known="known-properties", help_text=_("Like merchant or city.")
    )
    scope = forms.ChoiceField(label=_("Counted per"), choices=WatchRule.Scope.choices, required=False)
    count = forms.IntegerField(label=_("How many times"), min_value=0, max_value=10_000, required=False)
    amount = forms.IntegerField(label=_("Within"), min_value=1, max_value=50_000)
    unit = forms.ChoiceField(
        label=_("Unit"), choices=[("minutes", _("minutes")), ("hours", _("hours")), ("days", _("days"))]
    )
    tell_team = forms.ModelChoiceField(
        label=_("Tell the team"), queryset=teams(), required=False, empty_label=_("No team: a role")
    )
    tell_role = forms.ChoiceField(
        label=_("Or everybody of the role"), choices=[("", "—"), *ROLES.items()], required=False
    )
    holds = forms.BooleanField(
        label=_("Stop messages about these orders until somebody decides"),
        required=False,
        help_text=_("Reminders and notices about them wait. Security codes and replies in a case still go."),
    )
    hold_hours = forms.IntegerField(
        label=_("At most, hours"),
        min_value=1,
        max_value=2160,
        required=False,
        help_text=_("Empty: until somebody releases them."),
    )
    owner_team = forms.ModelChoiceField(label=_("Owning team"), queryset=teams(), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What a kind does not ask for is hidden by the page's script, and need not be there.
        kind = self.data.get("kind") if self.is_bound else None
        pair = (WatchRule.Kind.AFTER, WatchRule.Kind.MISSING)
        self.fields["second"].required = kind is None or kind in pair
        self.fields["count"].required = kind is None or kind == WatchRule.Kind.BURST
        self.fields["scope"].required = kind is None

    def values(self) -> dict[str, Any]:
        """Return what the service takes; the form must be valid."""
        data = self.cleaned_data
        minutes = data["amount"] * UNITS[data["unit"]]
        return {**{name: data[name] for name in (*PLAIN, *LISTS)}, "minutes": minutes}

    def refuse(self, refusal: Any) -> None:
        if refusal.field == "minutes":
            refusal.field = "amount"
        super().refuse(refusal)


def initial_of(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the form's initial data from the fields of a rule."""
    minutes = facts["minutes"]
    unit = next(name for name in ("days", "hours", "minutes") if minutes % UNITS[name] == 0)
    return {
        **{name: facts[name] for name in PLAIN},
        **{name: ", ".join(facts[name]) for name in LISTS},
        "amount": minutes // UNITS[unit],
        "unit": unit,
    }
