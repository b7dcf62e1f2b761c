"""The thresholds of the portraits: one row, shown as a page of its own."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.forms import PageForm
from notifyhub.customers.models import Stage, TraitBlock, TraitSettings
from notifyhub.customers.portrait import TONES
from notifyhub.customers.services.traits import read_settings
from notifyhub.customers.services.traits.thresholds import FIELDS, stage_counts, update_thresholds

STAGES = ("new_days", "active_days", "cooling_days", "asleep_days")
OTHERS = ("favourite_orders", "reaction_days", "reaction_minimum", "currency")


class ThresholdForm(PageForm):
    """Every threshold, labelled and bounded as its column is."""

    expected_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, row: TraitSettings) -> None:
        super().__init__(data, initial={"expected_version": row.version, **_values(row)})

    def part(self, names: tuple[str, ...]) -> list[forms.BoundField]:
        """Return these fields."""
        return [self[name] for name in names]


for _name in FIELDS:
    _column: Any = TraitSettings._meta.get_field(_name)
    ThresholdForm.base_fields[_name] = ThresholdForm.declared_fields[_name] = _column.formfield()


def _values(row: TraitSettings) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}


class ThresholdPage(PageMixin, FormView):
    """The thresholds, and how many customers stand where by them."""

    template_name = "customers/thresholds.html"
    title = gettext_lazy("Portrait thresholds")

    def get_permission_required(self) -> tuple[str, ...]:
        may = "view" if self.request.method in ("GET", "HEAD") else "change"
        return (f"customers.{may}_traitsettings",)

    def get_form(self, form_class: Any = None) -> Any:
        data = self.request.POST if self.request.method == "POST" else None
        return ThresholdForm(data, row=read_settings())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", None)
        form = kwargs.pop("form") or self.get_form()
        try:
            counts = stage_counts()
        except Refused:
            counts = {}
        total = sum(counts.values())
        blocks = TraitBlock.objects.order_by("refreshed_at").values_list("refreshed_at", flat=True)
        return PageMixin.get_context_data(
            self,
            form=form,
            stages=form.part(STAGES),
            others=form.part(OTHERS),
            rows=[
                (Stage(code).label, *TONES[Stage(code)], count, count / total if total else None)
                for code, count in counts.items()
            ],
            total=total,
            oldest=None if any(at is None for at in blocks) else next(iter(blocks), None),
            waiting=sum(at is None for at in blocks),
            may_save=self.request.user.has_perm("customers.change_traitsettings"),
            history=TraitSettings.objects.filter(pk=1).exists(),
            **kwargs,
        )

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            update_thresholds(
                changes={name: form.cleaned_data[name] for name in FIELDS if name in form.changed_data},
                version=form.cleaned_data.get("expected_version"),
            )
        except Refused as refusal:
            form.refuse(refusal)
            return self.form_invalid(form)
        messages.success(self.request, _("Saved. Every portrait is renewed within minutes."))
        return redirect("admin:customers_traitsettings_changelist")

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


@admin.register(TraitSettings)
class TraitSettingsAdmin(SimpleHistoryAdmin, ModelAdmin):
    """One row that is neither added nor deleted; its list is its page."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return ThresholdPage.as_view(model_admin=self)(request)  # type: ignore[return-value]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return redirect("admin:customers_traitsettings_changelist")
