"""What would otherwise be a crash on any page."""

from collections.abc import Callable

from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.utils.translation import gettext as _

from notifyhub.core.problems import bad_request, is_api


class NulIsABadRequest:
    """Answer 400 when a NUL in the address reached the database, which can neither store nor compare it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        asked = "\x00" in request.path or "%00" in request.META.get("QUERY_STRING", "")
        if asked and isinstance(error, ValueError | DataError):
            if is_api(request):
                return bad_request(request, error)
            return HttpResponseBadRequest(_("This address contains a character that cannot be looked up."))
        return None
