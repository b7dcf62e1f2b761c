"""Contact points that must not be written to: look up, add by hand, lift."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.views.generic.base import TemplateResponseMixin
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin, PageMixin
from notifyhub.core.errors import Refused
from notifyhub.core.templatetags.nh import chip, when
from notifyhub.customers.admin.views import posted
from notifyhub.customers.models import ContactPoint, Suppression
from notifyhub.customers.services.suppressions import find_suppressions, lift, suppress_contact


class StandingFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("lifted", _("Lifted")), ("all", _("All"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> QuerySet[Suppression]:
        if self.value() == "all":
            return queryset
        return queryset.filter(lifted_at__isnull=self.value() != "lifted")

    def choices(self, changelist: Any) -> Any:
        first, *rest = super().choices(changelist)
        return [{**first, "display": _("In force")}, *rest]


@admin.register(Suppression)
class SuppressionAdmin(LedgerAdmin):
    """The list shows masked contact points only; the exact one is found by a posted value."""

    list_display = ("masked", "kind", "scope", "reason_chip", "since", "state_chip")
    list_filter = (StandingFilter, "reason", "kind")
    list_filter_sheet = True
    ordering = ("-pk",)
    sortable_by = ()
    change_list_template = "customers/suppressions.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.add_suppression")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        return SuppressionAdd.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        if not object_id.isdecimal() or len(object_id) > 18:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return SuppressionPage.as_view(model_admin=self)(request, pk=int(object_id))

    def get_urls(self) -> list[Any]:
        search = self.admin_site.admin_view(SuppressionSearch.as_view(model_admin=self))
        return [path("search/", search, name="customers_suppression_search"), *super().get_urls()]

    @display(description=_("reason"))
    def reason_chip(self, obj: Suppression) -> SafeString:
        return chip(obj.get_reason_display(), "red" if obj.lifted_at is None else "grey")

    @display(description=_("since"))
    def since(self, obj: Suppression) -> str:
        return when(obj.created_at)

    @display(description=_("state"))
    def state_chip(self, obj: Suppression) -> SafeString:
        return chip(_t("lifted"), "grey") if obj.lifted_at else chip(_t("in force"), "red", "block")


class _Page(TemplateResponseMixin, PageMixin):
    permission_required: Any = "customers.view_suppression"

    def trail(self, title: str) -> list[tuple[str, str]]:
        return [(_t("Suppressions"), reverse("admin:customers_suppression_changelist")), (title, "")]


class SuppressionSearch(_Page):
    """POST an exact value: what stands against it, lifted ones too."""

    http_method_names = ["post"]
    template_name = "customers/suppression_found.html"

    def post(self, request: HttpRequest) -> HttpResponse:
        text = posted(request, "term")[:255]
        context = self.get_context_data(
            title=_t("Found"),
            crumbs=self.trail(_t("Found")),
            found=find_suppressions(text=text) if text else [],
        )
        response = self.render_to_response(context)
        response["Cache-Control"] = "no-store"
        return response


class SuppressionAdd(_Page):
    """Add one by hand."""

    template_name = "customers/suppression_form.html"
    permission_required = "customers.add_suppression"

    def answer(self, status: int = 200, **extra: Any) -> HttpResponse:
        title = _t("Add suppression")
        context = self.get_context_data(
            title=title,
            crumbs=self.trail(title),
            kinds=ContactPoint.Kind,
            scopes=Suppression.Scope,
            typed=self.request.POST,
            **extra,
        )
        return render(self.request, self.template_name, context, status=status)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer()

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            kind = posted(request, "kind")
            if kind not in ContactPoint.Kind.values:
                raise Refused(_t("Choose phone, email or another kind."), field="kind")
            row = suppress_contact(
                kind=kind,
                raw=posted(request, "value"),
                scope=posted(request, "scope"),
                note=posted(request, "note"),
            )
        except Refused as refusal:
            return self.answer(status=422, refusal=refusal)
        messages.success(request, _t("%s is not written to any more.") % row.masked)
        return redirect("admin:customers_suppression_change", row.pk)


class SuppressionPage(_Page):
    """One suppression; POST lifts it."""

    template_name = "customers/suppression.html"

    def answer(self, status: int = 200, **extra: Any) -> HttpResponse:
        rows = self.model_admin.get_queryset(self.request)
        row = rows.filter(pk=self.kwargs["pk"]).first()
        if row is None:
            return redirect("admin:customers_suppression_changelist")
        may_lift = self.request.user.has_perm("customers.change_suppression")
        context = self.get_context_data(
            title=row.masked, crumbs=self.trail(row.masked), row=row, may_lift=may_lift, **extra
        )
        return render(self.request, self.template_name, context, status=status)

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.answer()

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm("customers.change_suppression"):
            return self.handle_no_permission()
        try:
            row = lift(suppression_id=pk, reason=posted(request, "reason"))
        except Refused as refusal:
            return self.answer(status=422, refusal=refusal, typed=request.POST)
        messages.success(request, _t("%s may be written to again.") % row.masked)
        return redirect("admin:customers_suppression_change", row.pk)
