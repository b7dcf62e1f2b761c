"""The list of customers, and the addresses of everything about one of them."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifyhub.core.admin import ServiceAdmin
from notifyhub.core.templatetags.nh import chip, when
from notifyhub.customers.admin import acts, forms, merging, page, privacy, search
from notifyhub.customers.admin.filters import CityFilter, FoundFilter, StateFilter, TagFilter
from notifyhub.customers.admin.importing import ImportExportPages
from notifyhub.customers.models import ContactPoint, Customer, Hold

SHOWN_TAGS = 3


@admin.register(Customer)
class CustomerAdmin(ImportExportPages, ServiceAdmin):
    """Customers: found by search, read on a page of their own, changed by services only."""

    list_display = ("who", "reach", "city", "shown_tags", "signs", "last_order")
    list_display_links = ("who",)
    list_filter = (FoundFilter, StateFilter, CityFilter, TagFilter)
    list_filter_sheet = True
    change_list_template = "customers/list.html"
    # The newest first, by the primary key; any other order would sort millions.
    ordering = ("-pk",)
    sortable_by = ()
    list_max_show_all = 0
    empty_value_display = "—"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        listing = super().get_changelist_instance(request)
        listing.result_list = listing.result_list.prefetch_related(
            Prefetch("contact_points", queryset=ContactPoint.objects.masked(), to_attr="shown_contacts"),
            Prefetch("holds", queryset=Hold.objects.in_force(timezone.now()), to_attr="holds_now"),
        )
        return listing

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        context = {"title": _("Customers"), "crumbs": [(_("Customers"), "")]}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return forms.CustomerAdd.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        if not object_id.isdecimal() or len(object_id) > 18:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return page.CustomerPage.as_view(model_admin=self)(request, pk=int(object_id))

    def get_urls(self) -> list[Any]:
        views = {
            "search/": ("search", search.CustomerSearch),
            "<int:pk>/edit/": ("edit", forms.CustomerEdit),
            "<int:pk>/timeline/": ("timeline", page.CustomerTimeline),
            "<int:pk>/panel/<str:name>/": ("panel", page.CustomerPanel),
            "<int:pk>/consents/": ("consents", page.ConsentHistory),
            "<int:pk>/reveal/": ("reveal", acts.Reveal),
            "<int:pk>/consent/": ("consent", acts.RecordConsent),
            "<int:pk>/contact/": ("contact", acts.AddContact),
            "<int:pk>/hold/": ("hold", acts.PlaceHold),
            "<int:pk>/release/": ("release", acts.ReleaseHold),
            "<int:pk>/merge/": ("merge", merging.MergePage),
            "<int:pk>/copy/": ("copy", privacy.PersonalCopy),
            "<int:pk>/erase/": ("erase", privacy.Erase),
        }
        own = [
            path(
                route,
                self.admin_site.admin_view(view.as_view(model_admin=self)),
                name=f"customers_customer_{name}",
            )
            for route, (name, view) in views.items()
        ]
        return [*own, *super().get_urls()]

    @display(description=_("customer"), header=True)
    def who(self, obj: Customer) -> list[Any]:
        return [obj.name or _t("Unnamed customer"), obj.external_id or "—"]

    @display(description=_("phone, email"))
    def reach(self, obj: Customer) -> SafeString:
        points = [point for point in obj.shown_contacts if point.kind in ("phone", "email")]  # type: ignore[attr-defined]
        best = {point.kind: point for point in reversed(points)}
        shown = [best[kind].masked for kind in ("phone", "email") if kind in best]
        return format_html_join("", '<span class="nh-line">{}</span>', ((text,) for text in shown or ["—"]))

    @display(description=_("tags"))
    def shown_tags(self, obj: Customer) -> SafeString:
        tags: list[tuple[str]] = [(chip(tag),) for tag in obj.tags[:SHOWN_TAGS]]
        more = len(obj.tags) - SHOWN_TAGS
        if more > 0:
            tags.append((f"+{more}",))
        return format_html_join(" ", "{}", tags or [("—",)])

    @display(description=_("state"))
    def signs(self, obj: Customer) -> SafeString:
        found = []
        if obj.state != Customer.State.ACTIVE:
            found.append(chip(obj.get_state_display(), "grey"))
        if obj.provisional:
            found.append(chip(_t("provisional"), "blue"))
        if obj.holds_now:  # type: ignore[attr-defined]
            found.append(chip(_t("on hold"), "orange", "front_hand"))
        if any(not point.valid and point.primary for point in obj.shown_contacts):  # type: ignore[attr-defined]
            found.append(chip(_t("unreachable"), "red"))
        return format_html_join(" ", "{}", ((sign,) for sign in found))

    @display(description=_("last order"))
    def last_order(self, obj: Customer) -> str:
        return when(obj.last_order_at)
