"""Keeping what a message said, and showing it again as it was."""

import json
from collections.abc import Sequence
from typing import Any

from notifyhub.core import crypto
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Delivery, Dispatch, MessageCopy
from notifyhub.messaging.rendering.environment import RenderError
from notifyhub.messaging.rendering.program import Program, Rendered, program_for
from notifyhub.messaging.rendering.variables import SECRET_LIST, masked, secret_names

# Made once: json.dumps, and even an encoder of Python's own, makes this for every call. Without memory of
# what it is in, since what a failure left there would be taken for a circle.
_pieces: Any = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, str, json.encoder.encode_basestring, None, ": ", ", ", False, False, True
)

_EMAIL = Channel.EMAIL.value


def _to_json(value: dict[str, Any]) -> str:
    return "".join(_pieces(value, 0))


def pack(
    *,
    program: Program,
    channel: str,
    language: str,
    rendered: Rendered,
    variables: dict[str, Any],
    ring: crypto.Ring | None = None,
) -> bytes:
    """Return the encrypted copy to keep beside a message: the text, or for mail its variables.

    What is secret is dots in it: no stored row can tell a login code.
    """
    secret = secret_names(variables)
    known = masked(variables) if secret else variables
    if channel == _EMAIL and program.fixed is None:
        if SECRET_LIST in known:
            known = {name: value for name, value in known.items() if name != SECRET_LIST}
        payload: dict[str, Any] = {"language": language, "variables": known}
    else:
        if secret:
            rendered = program.render(channel=channel, language=language, variables=known)
        payload = {"subject": rendered.subject, "text": rendered.text}
        if rendered.html is not None:
            payload["html"] = rendered.html
    return (ring or crypto.current_ring()).encrypt(_to_json(payload))


def unpack_and_show(dispatch: Dispatch, delivery: Delivery) -> Rendered | None:
    """Return what the message said, secrets as dots; None if nothing was sent or the copy is gone."""
    return show_many([(dispatch, delivery)]).get(delivery.reference)


def show_many(messages: Sequence[tuple[Dispatch, Delivery]]) -> dict[str, Rendered]:
    """Return {reference: what it said} for several messages by one look-up of their copies."""
    rows = MessageCopy.objects.filter(
        dispatch_id__in={delivery.dispatch_id for _dispatch, delivery in messages},
        delivery_id__in={delivery.pk for _dispatch, delivery in messages},
    ).order_by("at", "id")
    # Of a message that was sent twice (class `assure` after a crash) the last copy counts.
    copies = {(row.dispatch_id, row.delivery_id): row for row in rows}
    shown = {}
    for dispatch, delivery in messages:
        copy = copies.get((delivery.dispatch_id, delivery.pk))
        rendered = _read(copy, dispatch, delivery) if copy else None
        if rendered is not None:
            shown[delivery.reference] = rendered
    return shown


def _read(copy: MessageCopy, dispatch: Dispatch, delivery: Delivery) -> Rendered | None:
    try:
        payload = json.loads(crypto.decrypt(bytes(copy.payload)))
        if "variables" not in payload:
            return Rendered(
                subject=payload.get("subject", ""),
                text=payload.get("text", ""),
                html=payload.get("html"),
            )
        return program_for(dispatch).render(
            channel=delivery.channel, language=payload["language"], variables=payload["variables"]
        )
    except (crypto.Undecryptable, RenderError, ValueError):
        return None
