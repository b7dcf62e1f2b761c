"""The form of an account, made from the settings that its backend declares."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.messaging.channels.base import Backend, SettingField
from notifyhub.messaging.models.provider import OpensCases

PREFIX = "set_"


class SecretLines(forms.Textarea):
    """A secret of several lines: a one-line password field would swallow the breaks. Never filled in."""

    def format_value(self, value: Any) -> str:
        return ""


def form_field(one: SettingField, *, secret_is_set: bool) -> forms.Field:
    """Return the form field of one declared setting; a secret is written and never shown."""
    given: dict[str, Any] = {"label": one.label, "help_text": one.help_text, "initial": one.default}
    required = one.required and not secret_is_set
    if one.secret:
        hint = _("Kept as it is unless you type a new one") if secret_is_set else ""
        attrs: dict[str, Any] = {"autocomplete": "new-password", "placeholder": hint}
        given["initial"] = ""
        if one.kind == "lines":
            attrs |= {"rows": 4, "spellcheck": "false"}
            return forms.CharField(required=required, widget=SecretLines(attrs=attrs), **given)
        return forms.CharField(required=required, widget=forms.PasswordInput(attrs=attrs), **given)
    if one.kind == "boolean":
        return forms.BooleanField(required=False, **given)
    if one.kind == "integer":
        return forms.IntegerField(required=required, min_value=0, **given)
    if one.kind == "choice":
        return forms.ChoiceField(required=required, choices=one.choices, **given)
    if one.kind == "lines":
        widget = forms.Textarea(attrs={"rows": 5, "spellcheck": "false"})
        return forms.CharField(required=required, widget=widget, **given)
    return forms.CharField(required=required, max_length=500, **given)


class AccountForm(forms.Form):
    """Name, order and speed of an account; the backend's settings are added as `set_…`."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    priority = forms.IntegerField(
        label=gettext_lazy("Priority"),
        min_value=0,
        max_value=32767,
        initial=100,
        help_text=gettext_lazy("The lowest number is tried first."),
    )
    rate_per_second = forms.IntegerField(
        label=gettext_lazy("Messages a second"), min_value=1, max_value=1_000_000, initial=100
    )
    open_from = forms.TimeField(
        label=gettext_lazy("Takes offers from"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=gettext_lazy(
            "By the recipient's clock, for promotional and informational messages; empty: at any time."
        ),
    )
    open_until = forms.TimeField(
        label=gettext_lazy("Takes offers until"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    opens_cases = forms.ChoiceField(
        label=gettext_lazy("Open a case from replies"),
        choices=OpensCases,
        initial=OpensCases.SERVICE,
        help_text=gettext_lazy("A reply to a customer with an open case always goes into that case."),
    )
    active = forms.BooleanField(label=gettext_lazy("In use"), required=False, initial=True)
    expected_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, backend: type[Backend], kept: set[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for one in backend.fields:
            self.fields[PREFIX + one.name] = form_field(one, secret_is_set=one.name in kept)

        if not backend.takes_replies:
            del self.fields["opens_cases"]

    def settings(self) -> dict[str, Any]:
        """Return the typed values of the backend's settings."""
        return {
            name.removeprefix(PREFIX): "" if value is None else value
            for name, value in self.cleaned_data.items()
            if name.startswith(PREFIX)
        }
