"""A copy of everything for the customer, and erasing them."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.admin.views import DialogView, posted
from notifyhub.customers.models import Customer
from notifyhub.customers.services.privacy import erase_customer, export_personal_data


class PersonalCopy(DialogView):
    """POST a reason: a JSON file with all that every app keeps about the customer."""

    permission_required = ("customers.view_customer", "customers.export_customer")

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        customer = self.get_customer()
        try:
            copy = export_personal_data(customer_id=customer.pk, reason=posted(request, "reason"))
        except Refused:
            return super().post(request, **kwargs)
        body = json.dumps(copy, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
        response = HttpResponse(body, content_type="application/json")
        response["Content-Disposition"] = f'attachment; filename="customer-{customer.pk}.json"'
        response["Cache-Control"] = "no-store"
        return response

    def act(self, request: HttpRequest, customer: Customer) -> str:
        raise Refused(_("Give a reason of a few words; it is kept in the audit trail."))


class Erase(DialogView):
    """POST a reason and the customer's number typed again."""

    permission_required = ("customers.view_customer", "customers.delete_customer")
    template_name = "customers/dialogs/erase.html"

    def act(self, request: HttpRequest, customer: Customer) -> str:
        if posted(request, "typed") != (customer.external_id or str(customer.pk)):
            raise Refused(_("Type the customer number exactly as it is shown."), field="typed")
        erase_customer(customer_id=customer.pk, reason=posted(request, "reason"))
        return _("The customer is erased.")
