"""Keeping what a message said, and showing it again as it was."""

import json
from typing import Any

from notifyhub.core import crypto
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Delivery, Dispatch, MessageCopy
from notifyhub.messaging.rendering.environment import RenderError
from notifyhub.messaging.rendering.program import Program, Rendered, program_for
from notifyhub.messaging.rendering.variables import SECRET_LIST, masked, secret_names


def pack(
    *, program: Program, channel: str, language: str, rendered: Rendered, variables: dict[str, Any]
) -> bytes:
    """Return the encrypted copy to keep beside a message: the text, or for mail its variables.

    What is secret is dots in it: no stored row can tell a login code.
    """
    secret = secret_names(variables)
    known = masked(variables) if secret else variables
    if channel == Channel.EMAIL and program.fixed is None:
        kept = {name: value for name, value in known.items() if name != SECRET_LIST}
        payload: dict[str, Any] = {"language": language, "variables": kept}
    else:
        if secret:
            rendered = program.render(channel=channel, language=language, variables=known)
        payload = {"subject": rendered.subject, "text": rendered.text}
    return crypto.encrypt(json.dumps(payload, ensure_ascii=False, default=str))


def copy_of(delivery: Delivery) -> MessageCopy | None:
    """Return the latest copy kept for a message, or None."""
    rows = MessageCopy.objects.filter(dispatch_id=delivery.dispatch_id, delivery_id=delivery.pk)
    return rows.order_by("-at", "-id").first()


def unpack_and_show(dispatch: Dispatch, delivery: Delivery) -> Rendered | None:
    """Return what the message said, secrets as dots; None if nothing was sent or the copy is gone."""
    copy = copy_of(delivery)
    if copy is None:
        return None
    try:
        payload = json.loads(crypto.decrypt(bytes(copy.payload)))
        if "variables" not in payload:
            return Rendered(subject=payload.get("subject", ""), text=payload.get("text", ""))
        program = program_for(dispatch)
        return program.render(
            channel=delivery.channel, language=payload["language"], variables=payload["variables"]
        )
    except (crypto.Undecryptable, RenderError, ValueError):
        return None
