"""What the own pages of this app share: the customer of the address, and answers to posted dialogs."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer


def posted(request: HttpRequest, name: str) -> str:
    """Return a posted text without what PostgreSQL cannot store and without spaces around it."""
    return request.POST.get(name, "").replace("\x00", "").strip()


def read_number(text: str | None) -> int:
    """Return the id in a field; 0 for anything else."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else 0


class CustomerView(PageMixin):
    """A page or partial about the customer whose id is in the address."""

    permission_required: Any = "customers.view_customer"

    def get_customer(self) -> Customer:
        """Return the customer, if the viewer may see them."""
        customer = self.model_admin.get_queryset(self.request).filter(pk=self.kwargs["pk"]).first()
        if customer is None:
            raise Http404
        return customer

    def page_url(self) -> str:
        """Return the address of the customer's page."""
        return reverse("admin:customers_customer_change", args=[self.kwargs["pk"]])


class DialogView(CustomerView):
    """A form in a dialog: POST acts. Refused, it comes back into its dialog with the typed text.

    Without script the refusal is a message on the customer's page.
    """

    http_method_names = ["post"]
    template_name = ""

    def act(self, request: HttpRequest, customer: Customer) -> str:
        """Do it by service and return the sentence that says so; raise Refused otherwise."""
        raise Refused("")

    def dialog_context(self, customer: Customer) -> dict[str, Any]:
        """Return what the form needs besides the posted text."""
        return {}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer = self.get_customer()
        try:
            done = self.act(request, customer)
        except Refused as refusal:
            if refusal.code == "forbidden":
                raise PermissionDenied from refusal
            if not request.headers.get("HX-Request") or not self.template_name:
                messages.error(request, str(refusal))
                return redirect(self.page_url())
            context = {
                "customer": customer,
                "typed": request.POST,
                "refusal": refusal,
                **self.dialog_context(customer),
            }
            return render(request, self.template_name, context, status=422)
        messages.success(request, done)
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Redirect": self.page_url()})
        return redirect(self.page_url())
