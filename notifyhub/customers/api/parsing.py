"""Reading request bodies that nobody promised to be kind."""

from collections.abc import Mapping
from json import JSONDecodeError
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.parsers import JSONParser

MAX_BODY = 20 * 1024 * 1024


class BodyTooLarge(exceptions.APIException):
    """The body is longer than anything this API takes."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class BoundedJSONParser(JSONParser):
    """JSON of bounded length and depth; anything else is a clear refusal, never a server error."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        request = (parser_context or {}).get("request")
        length = request.META.get("CONTENT_LENGTH") if request is not None else None
        if str(length or "0").isdecimal() and int(length or 0) > MAX_BODY:
            raise BodyTooLarge(_("The request is longer than %d MB.") % (MAX_BODY >> 20))
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise exceptions.ParseError(_("The JSON is nested too deeply.")) from error
        except exceptions.ParseError as error:
            raise exceptions.ParseError(_where(error.__context__)) from error


def _where(cause: BaseException | None) -> str:
    if isinstance(cause, JSONDecodeError):
        return _("The body is not JSON: look at line %(line)d, character %(column)d.") % {
            "line": cause.lineno,
            "column": cause.colno,
        }
    return _("The body is not JSON in UTF-8.")
