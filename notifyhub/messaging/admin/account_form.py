"""The form of an account, made from the settings that its backend declares."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.base import GROUPS, Backend, SettingField
from notifyhub.messaging.models.provider import OpensCases
from notifyhub.messaging.services.accounts import read_value

PREFIX = "set_"
CLEAR = "clear_"

# Title and help of each part; those of the backend stand between the first and the last two.
PARTS = {
    "account": (gettext_lazy("Account"), ""),
    "connection": (
        gettext_lazy("Connection"),
        gettext_lazy("Where the provider is, and as whom we sign in."),
    ),
    "sender": (
        gettext_lazy("Sender"),
        gettext_lazy("Who messages say they are from, where no sender identity says otherwise."),
    ),
    "security": (gettext_lazy("Security"), ""),
    "dkim": (
        gettext_lazy("DKIM signature"),
        gettext_lazy("Receivers trust signed mail more. Fill in all three, or none."),
    ),
    "templates": (
        gettext_lazy("Vendor templates"),
        gettext_lazy("The vendor sends approved texts only: say which of them stands for ours."),
    ),
    "receipts": (gettext_lazy("Receipts"), gettext_lazy("How the provider tells what became of a message.")),
    "replies": (gettext_lazy("Replies"), gettext_lazy("What customers answer to messages of this account.")),
    "rate": (gettext_lazy("Speed"), gettext_lazy("What the provider allows. What is above it waits.")),
    "hours": (
        gettext_lazy("Hours for offers"),
        gettext_lazy(
            "By the recipient's clock, for promotional and informational messages; empty: at any time."
        ),
    ),
    "advanced": (gettext_lazy("Advanced"), gettext_lazy("Change these only if the provider asks for it.")),
}
OWN = {
    "account": ("name", "priority", "active"),
    "rate": ("rate_per_second",),
    "hours": ("open_from", "open_until"),
    "replies": ("opens_cases",),
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A field as it stands in its part: `stored` says that a secret is there, `clear` takes it away."""

    field: Any
    stored: bool = False
    clear: Any = None


@dataclass(frozen=True, kw_only=True)
class FormPart:
    """A fieldset; a folded one opens when something in it is wrong."""

    code: str
    title: Any
    help: Any
    places: list[Place]
    folded: bool = False


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
        given["help_text"] = one.help_text or _("From %(least)d to %(most)d.") % {
            "least": one.least,
            "most": one.most,
        }
        return forms.IntegerField(required=required, min_value=one.least, max_value=one.most, **given)
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
        self.backend, self.kept = backend, kept
        for one in backend.fields:
            self.fields[PREFIX + one.name] = form_field(one, secret_is_set=one.name in kept)
            if one.name in kept and not one.required:
                self.fields[CLEAR + one.name] = forms.BooleanField(
                    required=False, label=_("Clear the stored one when saving")
                )
        if not backend.takes_replies:
            del self.fields["opens_cases"]

    def clean(self) -> dict[str, Any]:
        """Look at every value at once, so that each mistake is told at its field."""
        data: dict[str, Any] = super().clean() or {}
        for one in self.backend.fields:
            name = PREFIX + one.name
            value = data.get(name)
            if name in self.errors or one.secret or value in (None, ""):
                continue
            try:
                read_value(one, value)
            except Refused as refusal:
                self.add_error(name, str(refusal))
        for name in self.cleared():
            if data.get(PREFIX + name):
                self.add_error(PREFIX + name, _("Either type a new one or clear the stored one."))
        return data

    def cleared(self) -> list[str]:
        """Return the names of the secrets that are to go."""
        return [
            name.removeprefix(CLEAR)
            for name, on in self.cleaned_data.items()
            if name.startswith(CLEAR) and on
        ]

    def parts(self) -> Iterator[FormPart]:
        """Yield the fieldsets that have fields, in their order."""
        for code in (
            "account",
            *(one for one in GROUPS if one != "advanced"),
            "replies",
            "rate",
            "hours",
            "advanced",
        ):
            names = OWN.get(code, ())
            places = [Place(field=self[name]) for name in names if name in self.fields]
            for one in self.backend.fields if not names else ():
                if one.group == code:
                    clear = CLEAR + one.name
                    places.append(
                        Place(
                            field=self[PREFIX + one.name],
                            stored=one.secret and one.name in self.kept,
                            clear=self[clear] if clear in self.fields else None,
                        )
                    )
            if places:
                title, words = PARTS[code]
                wrong = any(place.field.errors for place in places)
                folded = code == "advanced" and not wrong
                yield FormPart(code=code, title=title, help=words, places=places, folded=folded)

    def settings(self) -> dict[str, Any]:
        """Return the typed values of the backend's settings."""
        return {
            name.removeprefix(PREFIX): "" if value is None else value
            for name, value in self.cleaned_data.items()
            if name.startswith(PREFIX)
        }
