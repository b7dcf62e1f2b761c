"""The addresses that Segment's clients post to."""

import base64
import binascii
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import exceptions, serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifyhub.customers.api import schema as schema
from notifyhub.customers.segment_api.bodies import MAX_BODY, MAX_MESSAGES, BadBody, read_body
from notifyhub.customers.segment_api.taking import take_messages
from notifyhub.staff.api_keys import ApiKeyAuthentication, token_key

_CODES = {401: "unauthorized", 403: "forbidden", 405: "method_not_allowed", 429: "rate_limited"}


class WriteKeyAuthentication(ApiKeyAuthentication):
    """The write key as the user name of Basic auth, as Segment's clients send it, or as a Bearer token."""

    def authenticate(self, request: Any) -> Any:
        kind, _space, rest = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return super().authenticate(request)
        try:
            name = base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, ValueError) as error:
            raise exceptions.AuthenticationFailed(_("This is not Basic auth.")) from error
        return None, token_key(request, name)


class RawParser(BaseParser):
    """Hand the bytes over, whatever their content type; no more of them than a request may have."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return stream.read(MAX_BODY + 1)


_ANSWER = inline_serializer("SegmentAnswer", {"success": serializers.BooleanField()})
_PROBLEM = inline_serializer(
    "SegmentProblem",
    {
        "success": serializers.BooleanField(),
        "code": serializers.CharField(),
        "message": serializers.CharField(),
    },
)
_BODY = inline_serializer(
    "SegmentMessage",
    {
        "userId": serializers.CharField(required=False),
        "anonymousId": serializers.CharField(required=False),
        "messageId": serializers.CharField(required=False, help_text="Each id is taken once."),
        "timestamp": serializers.DateTimeField(required=False),
        "sentAt": serializers.DateTimeField(required=False, help_text="Corrects a clock that is wrong."),
        "event": serializers.CharField(required=False, help_text="Of track: like Order Completed."),
        "properties": serializers.DictField(required=False),
        "traits": serializers.DictField(required=False),
        "context": serializers.DictField(required=False),
        "batch": serializers.ListField(
            child=serializers.DictField(), required=False, help_text="Of batch: messages, each with a type."
        ),
    },
)


class SegmentView(APIView):
    """One kind of message, or a batch of any."""

    kind = ""
    required_scope = "events:write"
    authentication_classes = (WriteKeyAuthentication,)
    parser_classes = (RawParser,)

    def get_exception_handler(self) -> Any:
        return _answer_problem

    @extend_schema(
        tags=["segment"],
        request=_BODY,
        responses={200: _ANSWER, 400: _PROBLEM, 401: _PROBLEM, 403: _PROBLEM, 413: _PROBLEM, 429: _PROBLEM},
        summary="What Segment's clients send",
        description=(
            "The write key is an API key with the scope events:write, as the user name of Basic auth. Bodies "
            "may be gzipped. A message has at most 32 KB, a request at most 500 KB unpacked. Messages of a "
            "batch that cannot be taken are kept under Events put aside and do not hold up the others."
        ),
        examples=[
            OpenApiExample(
                "track",
                value={
                    "userId": "10086",
                    "event": "Order Completed",
                    "properties": {"order_id": "H2026112000123", "total": 58.5, "currency": "CNY"},
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Answer 200 once all that can be taken is committed."""
        raw: Any = request.data
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        body = read_body(raw if isinstance(raw, bytes) else b"", encoding=encoding)
        key: Any = request.auth
        source = f"segment:{key.prefix}"
        if self.kind:
            result = take_messages([body], source=source, sent_at=body.get("sentAt"), kind=self.kind)
            if result.problems:
                first = result.problems[0]
                return _problem(400, "invalid_message", f"{first.field}: {first.message}")
            return Response({"success": True})
        batch = body.get("batch")
        if not isinstance(batch, list) or not batch:
            raise BadBody(_("A batch has a list of messages."), code="invalid_batch")
        if len(batch) > MAX_MESSAGES:
            raise BadBody(_("Send at most %d items a request.") % MAX_MESSAGES, code="too_large", status=413)
        shared = body.get("context")
        if isinstance(shared, dict) and shared:
            batch = [_with_context(message, shared) for message in batch]
        take_messages(batch, source=source, sent_at=body.get("sentAt"), now=timezone.now())
        return Response({"success": True})


class SlashedView(SegmentView):
    """The same, for clients that end an address with a slash."""

    schema = None


def _with_context(message: Any, shared: dict[str, Any]) -> Any:
    """Return a message with what the whole batch says of its context."""
    if not isinstance(message, dict):
        return message
    own = message.get("context")
    return {**message, "context": {**shared, **(own if isinstance(own, dict) else {})}}


def _problem(status: int, code: str, message: str) -> Response:
    return Response({"success": False, "code": code, "message": message}, status=status)


def _answer_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer as Segment's clients read it: a code and a message."""
    if isinstance(error, BadBody):
        return _problem(error.status, error.code, str(error))
    if not isinstance(error, exceptions.APIException):
        return None
    status = error.status_code
    response = _problem(status, _CODES.get(status, "invalid_request"), str(error.detail))
    if status == 401:
        response["WWW-Authenticate"] = 'Basic realm="write key"'
    wait = getattr(error, "wait", None)
    if wait:
        response["Retry-After"] = str(int(wait) + 1)
    return response
