"""Saying what became of a message in doubt: by hand, or by asking its provider."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.messaging.admin.ledger.message import message_or_404
from notifyhub.messaging.services.receipts import settle_unknown


class SettleMessage(PageMixin):
    """A POST with the decision and how one knows."""

    permission_required = "messaging.settle_delivery"

    def post(self, request: HttpRequest, reference: str) -> HttpResponse:
        dispatch, delivery = message_or_404(reference)
        decision = request.POST.get("decision")
        try:
            if decision not in ("sent", "failed"):
                raise Refused(_("Choose what became of it."), field="decision")
            settle_unknown(
                dispatch_id=dispatch.pk,
                delivery_id=delivery.pk,
                sent=decision == "sent",
                reason=request.POST.get("reason", ""),
            )
            messages.success(request, _("Settled. Nothing was sent again."))
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect("admin:messaging_delivery_page", delivery.reference)
