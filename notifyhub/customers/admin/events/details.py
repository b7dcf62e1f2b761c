"""One event of the catalogue and its properties."""

from collections.abc import Callable
from typing import Any, Self

from django import forms
from django.contrib import messages
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.errors import Refused
from notifyhub.core.forms import PageForm
from notifyhub.core.templatetags.nh import day
from notifyhub.customers.admin.events.base import EventPage
from notifyhub.customers.models import EventDay, EventName, EventProperty, Sensitivity
from notifyhub.customers.services.events.catalogue import describe_event, describe_property
from notifyhub.customers.services.events.names import BUILT_IN
from notifyhub.customers.services.events.showing import HIDDEN, KEYS
from notifyhub.customers.words import event_words
from notifyhub.staff.models import Team, User

TYPES = (
    ("texts", "text"),
    ("numbers", "number"),
    ("booleans", "boolean"),
    ("lists", "list"),
    ("records", "object"),
)
TONES = {Sensitivity.NONE: "grey", Sensitivity.PERSONAL: "orange", Sensitivity.SENSITIVE: "red"}
CHART_DAYS = 30


class DescriptionForm(PageForm):
    """What staff say of an event or property, with the version it is said of."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    @classmethod
    def of(cls, row: models.Model) -> Self:
        """Return the form with what is said now."""
        return cls(initial={name: getattr(row, name) for name in cls.base_fields})

    def save(self, describe: Callable[..., Any], **row: int) -> bool:
        """Hand what was typed to the service; say whether it was taken, the refusal being in the form."""
        if not self.is_valid():
            return False
        changes = {name: value for name, value in self.cleaned_data.items() if name != "version"}
        try:
            describe(changes=changes, version=self.cleaned_data["version"], **row)
        except Refused as refusal:
            self.refuse(refusal)
            return False
        return True


class EventForm(DescriptionForm):
    """What staff say of an event."""

    purpose = forms.CharField(
        label=gettext_lazy("What it is for"),
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("When it is sent and what it starts, in a sentence."),
    )
    owner = forms.ModelChoiceField(
        label=gettext_lazy("Owner"), queryset=User.objects.none(), required=False, empty_label="—"
    )
    owner_team = forms.ModelChoiceField(
        label=gettext_lazy("Owning team"), queryset=Team.objects.none(), required=False, empty_label="—"
    )
    keep_days = forms.IntegerField(
        label=gettext_lazy("Keep for days"),
        min_value=0,
        max_value=36500,
        required=False,
        help_text=gettext_lazy("Empty: as the house keeps events. 0: for ever."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].queryset = User.objects.filter(is_active=True).order_by("username")  # type: ignore[attr-defined]
        self.fields["owner_team"].queryset = Team.objects.order_by("name")  # type: ignore[attr-defined]


class PropertyForm(DescriptionForm):
    """What staff say of a property."""

    purpose = forms.CharField(
        label=gettext_lazy("What it is for"),
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    sensitivity = forms.ChoiceField(
        label=gettext_lazy("Sensitivity"),
        choices=Sensitivity.choices,
        help_text=gettext_lazy(
            "Personal values are shown in part, sensitive ones not at all: on timelines, among parked events "
            "and in previews. Examples of both are deleted."
        ),
    )
    expected = forms.ChoiceField(
        label=gettext_lazy("Expected type"),
        choices=[("", "—"), *EventProperty.Kind.choices],
        required=False,
        help_text=gettext_lazy("The catalogue warns when a value of another type comes."),
    )


class EventDetails(EventPage):
    """Numbers, properties and words of one event."""

    template_name = "customers/events/event.html"

    def get_event(self) -> EventName:
        """Return the event of the address."""
        rows = EventName.objects.select_related("owner", "owner_team")
        row = rows.filter(pk=self.kwargs["pk"]).first()
        if row is None:
            raise Http404
        return row

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.get_event()
        return self.answer(row, EventForm.of(row))

    def answer(self, row: EventName, form: EventForm, status: int = 200) -> HttpResponse:
        known = list(EventDay.objects.filter(event=row).order_by("-day")[:CHART_DAYS])[::-1]
        properties = [shown_property(one) for one in row.properties.all()]
        title = str(event_words(row.name))
        context = self.get_context_data(
            title=title,
            crumbs=self.trail((title, "")),
            event=row,
            form=form,
            properties=properties,
            today=sum(one.count for one in known if one.day == timezone.localdate()),
            told=[told for told, (name, _renamed) in BUILT_IN.items() if name == row.name],
            chart={
                "type": "bar",
                "title": _("Events a day"),
                "labels": [day(one.day) for one in known],
                "datasets": [{"label": _("Events a day"), "data": [one.count for one in known]}],
            }
            if len(known) > 1
            else None,
            may_write=self.may("change_eventname"),
        )
        return self.render_to_response(context, status=status)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.may("change_eventname"):
            return self.handle_no_permission()
        row = self.get_event()
        form = EventForm(request.POST)
        if form.save(describe_event, event_id=pk):
            messages.success(request, _("Saved."))
            return redirect("admin:customers_eventname_change", pk)
        return self.answer(row, form, 422)


class PropertyPage(EventPage):
    """What is said of one property."""

    template_name = "customers/events/property.html"
    permission_required = "customers.change_eventname"

    def get_property(self) -> EventProperty:
        """Return the property of the address."""
        row = EventProperty.objects.select_related("event").filter(pk=self.kwargs["pk"]).first()
        if row is None:
            raise Http404
        return row

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.get_property()
        return self.answer(row, PropertyForm.of(row))

    def answer(self, row: EventProperty, form: PropertyForm, status: int = 200) -> HttpResponse:
        back = reverse("admin:customers_eventname_change", args=[row.event_id])
        context = self.get_context_data(
            title=row.key,
            crumbs=self.trail((str(event_words(row.event.name)), back), (row.key, "")),
            row=shown_property(row),
            back=back,
            form=form,
        )
        return self.render_to_response(context, status=status)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self.get_property()
        form = PropertyForm(request.POST)
        if form.save(describe_property, property_id=pk):
            messages.success(request, _("Saved."))
            return redirect("admin:customers_eventname_change", row.event_id)
        return self.answer(row, form, 422)


def shown_property(row: EventProperty) -> dict[str, Any]:
    """Return a property as the pages show it: types with their share, examples unless they are masked."""
    counts = {kind: getattr(row, column) for column, kind in TYPES}
    total = sum(counts.values())
    types = [
        {"label": EventProperty.Kind(kind).label, "kind": kind, "share": count / total, "count": count}
        for kind, count in sorted(counts.items(), key=lambda pair: -pair[1])
        if count
    ]
    expected = row.expected or (types[0]["kind"] if types else "")
    odd = sum(count for kind, count in counts.items() if kind != expected)
    masked = row.sensitivity != Sensitivity.NONE
    return {
        "row": row,
        "label": KEYS.get(row.key, ""),
        "types": types,
        "total": total + row.nulls,
        "empty": row.nulls,
        "odd": odd if row.expected else 0,
        "mixed": not row.expected and len(types) > 1,
        "examples": [HIDDEN] if masked else row.examples,
        "tone": TONES[Sensitivity(row.sensitivity)],
    }
