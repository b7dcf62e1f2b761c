"""API errors as RFC 9457 problem+json, without personal data and in the caller's language.

One shape for all: `errors`, where there are some, is {where: [sentence, …]}, and where is the path of the
input: `channels`, `channels.0.wait`, `recipients.3.phone`; `non_field_errors` is the request as a whole.
"""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.response import Response

from notifyhub.core.errors import Conflict, Refused

MEDIA_TYPE = "application/problem+json"
WHOLE = "non_field_errors"
_TITLES = {
    400: gettext_lazy("Check the input"),
    401: gettext_lazy("Key missing or unknown"),
    403: gettext_lazy("Not allowed"),
    404: gettext_lazy("Not found"),
    405: gettext_lazy("Method not allowed"),
    406: gettext_lazy("Not acceptable"),
    413: gettext_lazy("Too large"),
    415: gettext_lazy("Not JSON"),
    429: gettext_lazy("Too many requests"),
    500: gettext_lazy("Fault of ours"),
}


def flat(errors: Any, where: str = "") -> dict[str, list[str]]:
    """Return errors of any nesting as {path of the input: sentences}, in their order."""
    found: dict[str, list[str]] = {}
    if isinstance(errors, Mapping):
        parts = [(str(name), value) for name, value in errors.items()]
    elif isinstance(errors, list | tuple) and any(isinstance(one, Mapping | list) for one in errors):
        parts = [(str(place), value) for place, value in enumerate(errors)]
    else:
        several = errors if isinstance(errors, list | tuple) else [errors]
        return {where or WHOLE: [str(one) for one in several]} if several else {}
    for name, value in parts:
        # What is wrong with a part as a whole stands at the part.
        path = where or name if name == WHOLE else f"{where}.{name}" if where else name
        for place, sentences in flat(value, path).items():
            found.setdefault(place, []).extend(sentences)
    return found


def problem_body(*, status_code: int, title: str = "", detail: str = "", **extra: Any) -> dict[str, Any]:
    """Return the JSON of a problem; `errors` may be nested and come out flat."""
    title = title or str(_TITLES.get(status_code, _("Not accepted")))
    if "errors" in extra:
        extra["errors"] = flat(extra["errors"])
    return {"type": "about:blank", "title": title, "status": status_code, "detail": detail, **extra}


def problem(*, status_code: int, title: str = "", detail: str = "", **extra: Any) -> Response:
    """Return a problem+json response of a DRF view."""
    body = problem_body(status_code=status_code, title=title, detail=detail, **extra)
    return Response(body, status=status_code, content_type=MEDIA_TYPE)


def problem_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception of a view into a problem; None leaves it to Django (a 500 that is logged)."""
    if isinstance(error, Conflict):
        return problem(status_code=409, title=_("Changed meanwhile"), detail=str(error), code=error.code)
    if isinstance(error, Refused):
        errors = {error.field: [str(error)]} if error.field else {}
        return problem(
            status_code=422, title=_("Not accepted"), detail=str(error), code=error.code, errors=errors
        )
    if isinstance(error, Http404):
        return problem(status_code=404, detail=_("There is nothing under this address for this key."))
    if isinstance(error, PermissionDenied):
        return problem(status_code=403, detail=str(error) or _("This is not for you."))
    if isinstance(error, RequestDataTooBig):
        return problem(status_code=413, detail=_("Send it in smaller parts."))
    if isinstance(error, exceptions.ValidationError):
        return problem(status_code=400, detail=_("Some fields need attention."), errors=error.detail)
    if isinstance(error, exceptions.APIException):
        response = problem(status_code=error.status_code, detail=_detail(error))
        wait = getattr(error, "wait", None)
        if wait:
            response["Retry-After"] = str(int(wait) + 1)
        if error.status_code == status.HTTP_401_UNAUTHORIZED:
            response["WWW-Authenticate"] = "Bearer"
        return response
    return None


def _detail(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.UnsupportedMediaType):
        return _("Send JSON, with the header Content-Type: application/json.")
    if isinstance(error, exceptions.NotAcceptable):
        return _("The answer is JSON; accept application/json.")
    if type(error) is exceptions.PermissionDenied and error.detail == error.default_detail:
        return _("This API key lacks the scope for it.")
    return str(error.detail)


def _answer(status_code: int, detail: str) -> HttpResponse:
    body = problem_body(status_code=status_code, detail=detail)
    return JsonResponse(
        body, status=status_code, content_type=MEDIA_TYPE, json_dumps_params={"ensure_ascii": False}
    )


def is_api(request: HttpRequest) -> bool:
    """Say whether a program asked, who reads JSON and no pages."""
    return request.path_info.startswith("/api/")


@csrf_exempt
def unknown_address(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer 404 for an address under /api/ that leads nowhere, and name the one that was meant."""
    path = request.path_info
    other = path[:-1] if path.endswith("/") else f"{path}/"
    try:
        meant = resolve(other).func is not unknown_address
    except Resolver404:
        meant = False
    if meant:
        return _answer(404, _("There is nothing under this address; %s was meant.") % other)
    return _answer(404, _("There is nothing under this address. /api/v1/docs/ lists what there is."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The house's answer 400: JSON for programs, a page for people."""
    if is_api(request):
        return _answer(400, _("The request is malformed."))
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """The house's answer 500: JSON for programs, a page for people."""
    if is_api(request):
        return _answer(500, _("The fault is ours and is logged. Repeat the request later."))
    return defaults.server_error(request)
