"""Messages by request: accept them, and say what became of them."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notifyhub.core.errors import Refused
from notifyhub.core.problems import WHOLE, problem
from notifyhub.customers.api.parsing import BoundedJSONParser
from notifyhub.customers.api.serializers import problems
from notifyhub.messaging.api import serializers as shapes
from notifyhub.messaging.engine.counts import COLUMNS
from notifyhub.messaging.services.dispatches import progress
from notifyhub.messaging.services.requests import (
    RecipientsRefused,
    accept_messages,
    find_request,
    outcomes_of,
)
from notifyhub.staff.idempotency import IdempotentMixin


class MessagesView(IdempotentMixin, APIView):
    """Take messages in."""

    required_scope = "messages:send"
    parser_classes = (BoundedJSONParser,)

    @extend_schema(
        operation_id="messages_send",
        tags=["messages"],
        request=shapes.MessagesInSerializer,
        responses={202: shapes.AcceptedSerializer, **problems(400, 409, 413, 415, 422)},
        summary="Send one message to up to 1000 recipients",
        description=(
            "202 means kept: each recipient ends in exactly one state. All recipients are taken or none. "
            "Send an Idempotency-Key, so that a repeated request is not a second message."
        ),
    )
    def post(self, request: Request) -> Response:
        """Return 202 with the id of the request once its rows are committed."""
        serializer = shapes.MessagesInSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        key: Any = request.auth
        try:
            accepted = accept_messages(key=key, **serializer.as_arguments())
        except RecipientsRefused as refusal:
            errors = {f"recipients.{one.index}.{one.field}": [one.message] for one in refusal.problems[:100]}
            return problem(status_code=422, detail=str(refusal), errors=errors)
        except Refused as refusal:
            field = {"chain": "channels"}.get(refusal.field or "", refusal.field or WHOLE)
            errors_of = {field: [str(refusal)]}
            return problem(status_code=422, detail=str(refusal), errors=errors_of)
        return Response(
            {
                "id": accepted.dispatch.key,
                "state": accepted.dispatch.state,
                "recipients": accepted.recipients,
                "customers_created": accepted.customers_created,
            },
            status=202,
        )


class RequestView(APIView):
    """Say what became of a request."""

    required_scope = "messages:read"

    @extend_schema(
        operation_id="messages_read",
        tags=["messages"],
        responses={200: shapes.RequestSerializer, **problems(400, 404)},
        summary="What became of the messages of a request",
        description="Up to 1000 messages; `?after=` takes the last recipient seen.",
    )
    def get(self, request: Request, request_id: UUID) -> Response:
        """Return the state, the counts and the messages."""
        key: Any = request.auth
        dispatch = find_request(key=key, request_id=request_id)
        if dispatch is None:
            raise Http404
        after = request.query_params.get("after", "-1")
        if not after.removeprefix("-").isdecimal() or len(after) > 9:
            raise ValidationError({"after": [_("Write a whole number.")]})
        numbers = progress(dispatch_id=dispatch.pk)
        counts = {name: getattr(numbers, name) for name in ("planned", *COLUMNS, "open")}
        shown = {
            "id": dispatch.key,
            "state": dispatch.state,
            "title": dispatch.title,
            "accepted_at": dispatch.created_at,
            "finished_at": dispatch.finished_at,
            "counts": counts,
            "messages": [asdict(one) for one in outcomes_of(dispatch=dispatch, after=int(after))],
        }
        return Response(shapes.RequestSerializer(shown).data)
