"""API errors as RFC 9457 problem+json, without personal data and in the caller's language."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.response import Response

from notifyhub.core.errors import Conflict, Refused

MEDIA_TYPE = "application/problem+json"


def problem(*, status_code: int, title: str, detail: str = "", **extra: Any) -> Response:
    """Return a problem+json response."""
    body = {"type": "about:blank", "title": title, "status": status_code, "detail": detail, **extra}
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
        return problem(status_code=404, title=_("Not found"))
    if isinstance(error, PermissionDenied):
        return problem(status_code=403, title=_("Not allowed"), detail=str(error))
    if isinstance(error, exceptions.ValidationError):
        detail = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        return problem(
            status_code=400,
            title=_("Check the input"),
            detail=_("Some fields need attention."),
            errors=detail,
        )
    if isinstance(error, exceptions.APIException):
        response = problem(
            status_code=error.status_code, title=str(error.default_detail), detail=str(error.detail)
        )
        wait = getattr(error, "wait", None)
        if wait:
            response["Retry-After"] = str(int(wait) + 1)
        if error.status_code == status.HTTP_401_UNAUTHORIZED:
            response["WWW-Authenticate"] = "Bearer"
        return response
    return None
