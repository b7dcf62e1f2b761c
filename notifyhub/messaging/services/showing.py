"""Showing staff what a message said, so that nothing in it acts for the customer."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.utils.html import escape
from django.utils.translation import gettext as _

from notifyhub.core.tokens import read_token
from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.rendering.links import UNSUBSCRIBE, CountedLinks
from notifyhub.messaging.rendering.program import Rendered

# Any host: the house may have had another name when the message went out. The token tells.
_UNSUBSCRIBE = re.compile(r"https?://[^\s\"'<>/]+/u/(\.?[\w:-]+)")
_HREF = re.compile(r"href=([\"'])https?://[^\s\"'<>/]+/u/(\.?[\w:-]+)\1", re.IGNORECASE)


def for_staff(rendered: Rendered) -> tuple[Rendered, bool]:
    """Return the message with its unsubscribe link switched off, and whether it had one.

    The link is the customer's own: whoever follows it opts the customer out.
    """
    found = False

    def words(match: re.Match[str]) -> str:
        nonlocal found
        if read_token(match[1], purpose=UNSUBSCRIBE) is None:
            return match[0]
        found = True
        return _("[unsubscribe link of the customer]")

    def attribute(match: re.Match[str]) -> str:
        nonlocal found
        if read_token(match[2], purpose=UNSUBSCRIBE) is None:
            return match[0]
        found = True
        note = escape(_("Switched off here: it is the customer's own link."))
        return f'aria-disabled="true" title="{note}"'

    html = rendered.html
    if html is not None:
        html = _UNSUBSCRIBE.sub(lambda match: escape(words(match)), _HREF.sub(attribute, html))
    shown = Rendered(
        subject=_UNSUBSCRIBE.sub(words, rendered.subject),
        text=_UNSUBSCRIBE.sub(words, rendered.text),
        html=html,
    )
    return shown, found


def tracked_links(dispatch: Dispatch, delivery: Delivery, urls: Sequence[str]) -> list[tuple[str, str]]:
    """Return (path of ours that counts the click, where it leads) of each counted link of a message.

    `urls` are the addresses of its template version by number; a click counts as the customer's.
    """
    if dispatch.message_class == MessageClass.TRANSACTIONAL or not urls:
        return []
    links = CountedLinks(dispatch_id=dispatch.pk, blocks=dispatch.blocks, links=len(urls))
    counted = links.of(delivery.pk)
    return [
        (urlsplit(counted[f"l{number}"]).path, url)
        for number, url in enumerate(urls)
        if f"l{number}" in counted
    ]
