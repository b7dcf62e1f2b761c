"""Likely duplicates, merging two customers, and undoing it."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic.base import TemplateResponseMixin

from notifyhub.core.admin import LedgerAdmin, PageMixin
from notifyhub.core.errors import Refused
from notifyhub.customers.admin.views import CustomerView, posted, read_number
from notifyhub.customers.models import Consent, Customer, Hold, Merge, Order
from notifyhub.customers.services.duplicates import likely_duplicates, with_contacts
from notifyhub.customers.services.merging import merge_customers, undo_merge
from notifyhub.customers.services.search import find_customers

MERGE = "customers.merge_customer"
RECENT = 20


class MergePage(TemplateResponseMixin, CustomerView):
    """Two customers side by side; POST merges the other one into this one."""

    template_name = "customers/merge.html"
    permission_required = ("customers.view_customer", MERGE)

    def other(self) -> Customer | None:
        other = read_number(posted(self.request, "other") or self.request.GET.get("other"))
        return self.model_admin.get_queryset(self.request).filter(pk=other).first()

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.page(self.other())

    def page(self, other: Customer | None, *, found: Any = (), refusal: Any = None) -> HttpResponse:
        customer = self.get_customer()
        pair = [customer, other] if other else [customer]
        rows = with_contacts(Customer.objects.all()).in_bulk([row.pk for row in pair])
        context = self.get_context_data(
            title=_("Merge"),
            crumbs=[
                (_("Customers"), reverse("admin:customers_customer_changelist")),
                (str(customer), self.page_url()),
                (_("Merge"), ""),
            ],
            customer=customer,
            other=other,
            pair=[(rows[row.pk], _weight(row)) for row in pair],
            found=[row for row in found if row.pk != customer.pk],
            refusal=refusal,
        )
        return self.render_to_response(context, status=422 if refusal else 200)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer, other = self.get_customer(), self.other()
        if "term" in request.POST:
            return self.page(None, found=find_customers(text=posted(request, "term"), limit=10))
        if other is None:
            return self.page(None, refusal=_("Choose the second customer."))
        try:
            merge_customers(kept_id=customer.pk, merged_id=other.pk, user=request.user)  # type: ignore[arg-type]
        except Refused as refusal:
            return self.page(other, refusal=refusal)
        messages.success(request, _("%s is now part of this customer. You can undo it here.") % other)
        return redirect(self.page_url())


def _weight(customer: Customer) -> dict[str, int]:
    return {
        "orders": Order.objects.filter(customer=customer).count(),
        "consents": Consent.objects.filter(customer=customer).count(),
        "holds": Hold.objects.filter(customer=customer, released_at=None).count(),
    }


class Duplicates(TemplateResponseMixin, PageMixin):
    """Customers who share a contact point, and the latest merges."""

    template_name = "customers/duplicates.html"
    permission_required = ("customers.view_customer", MERGE)
    title = gettext_lazy("Duplicates")

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self.get_context_data()
        try:
            context["found"] = likely_duplicates(after=request.GET.get("after", ""))
        except Refused as refusal:
            context["refusal"] = refusal
        context["merges"] = Merge.objects.select_related("kept", "merged", "by")[:RECENT]
        return self.render_to_response(context)


class UndoMerge(PageMixin):
    """POST: two customers again."""

    http_method_names = ["post"]
    permission_required = ("customers.view_customer", MERGE)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        merge = get_object_or_404(Merge, pk=pk)
        try:
            undo_merge(merge_id=pk)
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("The merge is undone: these are two customers again."))
        return redirect("admin:customers_customer_change", merge.kept_id)


@admin.register(Merge)
class MergeAdmin(LedgerAdmin):
    """The address of the duplicates page and of undoing."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perms(("customers.view_customer", MERGE))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        return Duplicates.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        merge = Merge.objects.filter(pk=read_number(object_id)).first()
        if merge is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return redirect("admin:customers_customer_change", merge.kept_id)

    def get_urls(self) -> list[Any]:
        undo = self.admin_site.admin_view(UndoMerge.as_view(model_admin=self))
        return [path("<int:pk>/undo/", undo, name="customers_merge_undo"), *super().get_urls()]
