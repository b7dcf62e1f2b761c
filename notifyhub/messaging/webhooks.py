"""The door for receipts of providers and replies of customers: /hooks/<account>/.

The body is verified as it came in before anything reads it, stored, and answered; matching comes after.
"""

import logging
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from notifyhub.messaging.channels.base import Backend, Inbound, Reply, Report, Unreadable
from notifyhub.messaging.models import ProviderAccount
from notifyhub.messaging.services.accounts import backend_of
from notifyhub.messaging.services.receipts import is_right_address, store_reports
from notifyhub.messaging.services.replies import store_replies

logger = logging.getLogger(__name__)

BODY_LIMIT = 256 * 1024


# A provider has no cookie of ours; the signature, or the secret in the address, is what allows the act.
@method_decorator(csrf_exempt, name="dispatch")
class Hook(View):
    """Takes what the provider of one account reports, and what customers replied through it."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, account: int, token: str = "") -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) > BODY_LIMIT:
            return _problem(413, "The body is longer than 256 kB.")
        body = request.read(BODY_LIMIT + 1)
        if len(body) > BODY_LIMIT:
            return _problem(413, "The body is longer than 256 kB.")
        found = ProviderAccount.objects.filter(pk=account).first() if account < 2**31 else None
        backend = backend_of(found) if found is not None else None
        if found is None or backend is None or not backend.receipts:
            return _problem(404, "No receipts are awaited here.")
        headers = {name.lower(): value for name, value in request.headers.items()}
        inbound = Inbound(headers=headers, body=body, now=timezone.now())
        if not _is_theirs(backend, found, inbound, token):
            logger.warning("A receipt for account %s bears no right signature", found.pk)
            return _problem(401, "The signature is not right.")
        try:
            reports = backend.parse_receipts(inbound)
        except Unreadable as error:
            return _problem(400, str(error))
        replies = [one for one in reports if isinstance(one, Reply)]
        store_reports(account_id=found.pk, reports=[one for one in reports if isinstance(one, Report)])
        if replies:
            store_replies(account=found, replies=replies)
        return JsonResponse(dict(backend.receipt_answer))


def _is_theirs(backend: Backend, account: ProviderAccount, inbound: Inbound, token: str) -> bool:
    if backend.receipts == "address":
        return is_right_address(account, token)
    return not token and backend.verify(inbound)


def _problem(status: int, detail: str, **more: Any) -> JsonResponse:
    return JsonResponse({"status": status, "detail": detail, **more}, status=status)
