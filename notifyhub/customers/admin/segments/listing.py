"""The list of segments and the addresses of their pages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifyhub.core.admin import ServiceAdmin
from notifyhub.core.templatetags.nh import ago, chip, number
from notifyhub.customers.admin.segments import acts, pages
from notifyhub.customers.admin.segments.rules import in_words
from notifyhub.customers.models import Segment


class ArchivedFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("archived", _("Archived"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Segment]) -> QuerySet[Segment]:
        return queryset.filter(archived_at__isnull=self.value() != "archived")

    def choices(self, changelist: Any) -> Any:
        first, *rest = super().choices(changelist)
        return [{**first, "display": _("In use")}, *rest]


@admin.register(Segment)
class SegmentAdmin(ServiceAdmin):
    """Segments; each opens on a page of its own."""

    list_display = ("name", "kind_chip", "size", "rule_words", "owner")
    list_filter = (ArchivedFilter, "kind")
    list_filter_sheet = True
    list_select_related = ("owner",)
    search_fields = ("name",)
    ordering = ("name",)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return pages.SegmentAdd.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        if not object_id.isdecimal() or len(object_id) > 18:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return pages.SegmentPage.as_view(model_admin=self)(request, pk=int(object_id))

    def get_urls(self) -> list[Any]:
        views = {
            "condition/": ("condition", acts.Condition),
            "preview/": ("preview", acts.Preview),
            "<int:pk>/count/": ("count", acts.Recount),
            "<int:pk>/members/": ("members", acts.Members),
            "<int:pk>/archive/": ("archive", acts.Archive),
        }
        own = [
            path(
                route,
                self.admin_site.admin_view(view.as_view(model_admin=self)),
                name=f"customers_segment_{name}",
            )
            for route, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    @display(description=_("kind"))
    def kind_chip(self, obj: Segment) -> SafeString:
        return chip(obj.get_kind_display(), "violet" if obj.kind == Segment.Kind.RULE else "blue")

    @display(description=_("customers"))
    def size(self, obj: Segment) -> SafeString:
        if obj.counted_at is None:
            return format_html("{}", number(obj.count))
        return format_html(
            '{} <span class="nh-muted nh-small">{}</span>', number(obj.count), ago(obj.counted_at)
        )

    @display(description=_("rule"))
    def rule_words(self, obj: Segment) -> str:
        text = in_words(obj.rule) if obj.kind == Segment.Kind.RULE else "—"
        return text if len(text) <= 80 else text[:79] + "…"
