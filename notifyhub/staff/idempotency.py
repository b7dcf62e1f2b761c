"""Idempotency-Key for API views: a repeated request gets the answer of the first one."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from notifyhub.core.problems import MEDIA_TYPE, problem
from notifyhub.staff.services.idempotency import Claim, ClaimLost, claim, release, store_answer

METHODS = ("POST", "PUT", "PATCH", "DELETE")
MAX_LENGTH = 255


class IdempotentMixin:
    """Put before a DRF view. With an `Idempotency-Key` header, the same request is done once.

    The work and its answer commit together. A repetition gets the same answer with
    `Idempotent-Replayed: true`; 409 while the first is under way; 422 if its content differs.
    """

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if request.method in METHODS and "Idempotency-Key" in request.headers:
            # The view's dispatch looks the handler up after this hook, on the instance first.
            name = request.method.lower()
            handler = getattr(self, name, None)
            if handler is not None:
                setattr(self, name, partial(self._once, handler))

    def _once(self, handler: Callable[..., Response], request: Any, *args: Any, **kwargs: Any) -> Response:
        token = request.headers["Idempotency-Key"]
        if not 0 < len(token) <= MAX_LENGTH or not token.isprintable():
            return problem(
                status_code=400,
                title=_("Check the input"),
                detail=_("Idempotency-Key must have 1 to 255 printable characters."),
            )
        try:
            fingerprint = _fingerprint(request)
        except RequestDataTooBig:
            return problem(status_code=413, title=_("Too large"), detail=_("Send it in smaller parts."))
        before = claim(key=request.auth, token=token, request_hash=fingerprint)
        if not isinstance(before, Claim):
            return _answer_again(before, fingerprint)
        return self._answer_first(before, partial(handler, request, *args, **kwargs))

    def _answer_first(self, mine: Claim, work: Callable[[], Response]) -> Response:
        try:
            with transaction.atomic():
                response = work()
                _keep(mine, response)
            return response
        except ClaimLost:
            return _under_way()
        except Exception as error:
            return self._answer_failure(mine, error)

    def _answer_failure(self, mine: Claim, error: Exception) -> Response:
        try:
            response = self.handle_exception(error)  # type: ignore[attr-defined]
        except Exception:
            release(claim=mine)
            raise
        try:
            _keep(mine, response)
        except ClaimLost:
            return _under_way()
        return response


def _fingerprint(request: Any) -> bytes:
    content = hashlib.sha256()
    for part in (request.method, request.get_full_path(), request.content_type or ""):
        content.update(part.encode() + b"\x00")
    content.update(request._request.body)
    return content.digest()


def _keep(mine: Claim, response: Response) -> None:
    body = None if response.data is None else json.loads(JSONRenderer().render(response.data))
    store_answer(claim=mine, status=response.status_code, body=body)


def _answer_again(before: Any, fingerprint: bytes) -> Response:
    if bytes(before.request_hash) != fingerprint:
        return problem(
            status_code=422,
            title=_("Not accepted"),
            detail=_("This Idempotency-Key was used for another request."),
            code="idempotency_key_reused",
        )
    if before.status is None:
        return _under_way()
    kind = MEDIA_TYPE if before.status >= 400 else None
    response = Response(before.body, status=before.status, content_type=kind)
    response["Idempotent-Replayed"] = "true"
    return response


def _under_way() -> Response:
    response = problem(
        status_code=409,
        title=_("Under way"),
        detail=_("The first request with this Idempotency-Key has not answered yet."),
        code="idempotency_under_way",
    )
    response["Retry-After"] = "2"
    return response
