"""The variables by which a text tells several messages at once."""

from collections.abc import Sequence
from typing import Any

from notifyhub.messaging.models import Content

ITEMS, COUNT = "items", "count"
# Stands among the variables of a digest; no text can read or set it, since Liquid reads no such name.
MARK = "_digest"
# Of more than so many the text lists the first; `count` says how many there are.
MOST = 100


def several(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the variables of a digest of these, in their order."""
    return {MARK: True, ITEMS: list(items[:MOST]), COUNT: len(items)}


def digest_of(content: Content) -> Content:
    """Return the digest text of a row as a text of its own, to be checked, compiled and shown like any."""
    return Content(
        template_version=content.template_version,
        channel=content.channel,
        language=content.language,
        subject=content.digest_subject,
        preheader="",
        body=content.digest_body,
        compiled=content.digest_compiled,
    )
