"""What the names of other systems mean here."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from simple_history.admin import SimpleHistoryAdmin

from notifyhub.core.errors import Refused
from notifyhub.core.forms import PageForm
from notifyhub.customers.admin.events.base import EventPage, PagesAdmin
from notifyhub.customers.models import EventMapping
from notifyhub.customers.services.events.names import (
    BUILT_IN,
    add_mapping,
    change_mapping,
    read_properties,
    remove_mapping,
)

MOST = 500


class MappingForm(PageForm):
    """Their name, ours, and their properties under our keys."""

    told = forms.CharField(
        label=gettext_lazy("Their name"), max_length=200, help_text=gettext_lazy("Like Order Completed.")
    )
    name = forms.CharField(
        label=gettext_lazy("Our event"), max_length=80, help_text=gettext_lazy("Like order_paid.")
    )
    properties = forms.CharField(
        label=gettext_lazy("Properties"),
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 5, "class": "nh-mono"}),
        help_text=gettext_lazy("Ours = theirs, one a line, like: amount_paid = total"),
    )
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)


class MappingList(EventPage):
    """The mappings written here, then the built-in ones."""

    template_name = "customers/events/mappings.html"
    permission_required = "customers.view_eventmapping"

    def get(self, request: HttpRequest) -> HttpResponse:
        title = _("Names of other systems")
        rows = list(EventMapping.objects.all()[:MOST])
        own = {row.told for row in rows}
        context = self.get_context_data(
            title=title,
            crumbs=self.trail((title, "")),
            rows=rows,
            built_in=[(told, *ours) for told, ours in BUILT_IN.items() if told not in own],
            may_write=self.may("change_eventmapping"),
        )
        return self.render_to_response(context)


class MappingPage(EventPage):
    """One mapping, new or known; POST saves or removes it."""

    template_name = "customers/events/mapping.html"
    permission_required = "customers.change_eventmapping"

    def get_mapping(self) -> EventMapping | None:
        """Return the mapping of the address, None on the page of a new one."""
        pk = self.kwargs.get("pk")
        if pk is None:
            return None
        row = EventMapping.objects.filter(pk=pk).first()
        if row is None:
            raise Http404
        return row

    def get(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        row = self.get_mapping()
        told = request.GET.get("told", "")
        name, properties = BUILT_IN.get(told, ("", {}))
        initial: dict[str, Any] = {"told": told, "name": name, "properties": _lines(properties)}
        if row is not None:
            initial = {"told": row.told, "name": row.name, "properties": _lines(row.properties)}
            initial["version"] = row.version
        return self.answer(row, MappingForm(initial=initial))

    def answer(self, row: EventMapping | None, form: MappingForm, status: int = 200) -> HttpResponse:
        title = row.told if row else _("New mapping")
        listing = reverse("admin:customers_eventmapping_changelist")
        context = self.get_context_data(
            title=title,
            crumbs=self.trail((_("Names of other systems"), listing), (title, "")),
            mapping=row,
            form=form,
        )
        return self.render_to_response(context, status=status)

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        row = self.get_mapping()
        form = MappingForm(request.POST)
        if form.is_valid():
            said = form.cleaned_data
            try:
                values = {
                    "told": said["told"],
                    "name": said["name"],
                    "properties": read_properties(said["properties"]),
                }
                if row is None:
                    add_mapping(**values)
                else:
                    change_mapping(mapping_id=row.pk, version=said["version"], **values)
            except Refused as refusal:
                form.refuse(refusal)
            else:
                messages.success(request, _("Saved. It holds for the events to come."))
                return redirect("admin:customers_eventmapping_changelist")
        return self.answer(row, form, 422)


class MappingRemove(EventPage):
    """Back to the built-in name, by POST."""

    http_method_names = ["post"]
    permission_required = "customers.change_eventmapping"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        try:
            remove_mapping(mapping_id=pk)
        except Refused as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(request, _("The mapping was removed."))
        return redirect("admin:customers_eventmapping_changelist")


def _lines(properties: dict[str, str]) -> str:
    return "\n".join(f"{mine} = {theirs}" for mine, theirs in properties.items())


@admin.register(EventMapping)
class EventMappingAdmin(SimpleHistoryAdmin, PagesAdmin):
    """Mappings with their history."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        return MappingList.as_view(model_admin=self)(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return MappingPage.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        if not object_id.isdecimal() or len(object_id) > 18:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return MappingPage.as_view(model_admin=self)(request, pk=int(object_id))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(MappingRemove.as_view(model_admin=self))
        return [
            path("<int:pk>/remove/", view, name="customers_eventmapping_remove"),
            *super().get_urls(),
        ]
