"""The search box of the list. It posts, and the answer's address holds a token: no number reaches a log."""

import secrets

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from notifyhub.core.admin import PageMixin
from notifyhub.customers.admin.views import posted
from notifyhub.customers.services.search import find_customers

MOST = 100
KEPT = 5


class CustomerSearch(PageMixin):
    """POST a term: one match opens its page, several come as a list."""

    http_method_names = ["post"]
    permission_required = "customers.view_customer"

    def post(self, request: HttpRequest) -> HttpResponse:
        listing = reverse("admin:customers_customer_changelist")
        found = find_customers(text=posted(request, "term"), limit=MOST)
        if not found:
            messages.warning(
                request,
                _("Nobody found. Try the whole number, its last four digits, an order or customer number."),
            )
            return redirect(listing)
        if len(found) == 1:
            return redirect("admin:customers_customer_change", found[0].pk)
        token = secrets.token_hex(6)
        kept = request.session.get("customer_search", {})
        newest = dict(list(kept.items())[-(KEPT - 1) :])
        request.session["customer_search"] = {**newest, token: [customer.pk for customer in found]}
        return redirect(f"{listing}?found={token}")
