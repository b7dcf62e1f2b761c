"""The public links of one message."""

from collections.abc import Sequence

from django.conf import settings

from notifyhub.core.tokens import make_token
from notifyhub.messaging.tracking.short import make_short, make_stem, place_of

UNSUBSCRIBE = "unsubscribe"
# The variable by which a text places the link; sending fills it for every message.
UNSUBSCRIBE_VARIABLE = "unsubscribe_url"

# Published texts lead through {{ nh.l0 }}, {{ nh.open }} and {{ nh.why }}; no text can set them itself.
VARIABLE = "nh"
BLANK_IMAGE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def unsubscribe_url(*, dispatch_id: int, delivery_id: int) -> str:
    """Return the address of RFC 8058's one-click page for one message, for header and text."""
    token = make_token([dispatch_id, delivery_id], purpose=UNSUBSCRIBE)
    return f"{settings.PUBLIC_URL}/u/{token}"


def plain_links(urls: Sequence[str]) -> dict[str, str]:
    """Return `nh` for showing a text to staff: its links lead straight where they lead, nothing counts."""
    return {"open": BLANK_IMAGE, "why": "#"} | {f"l{number}": url for number, url in enumerate(urls)}


def counted_links(*, dispatch_id: int, blocks: Sequence[int], delivery_id: int, links: int) -> dict[str, str]:
    """Return `nh` for one message: every link counted and explained under its own short token.

    Empty for a message beyond the places that a token can name; its text then keeps the plain links.
    """
    place = place_of(blocks=blocks, delivery_id=delivery_id)
    if place is None:
        return {}
    stem = make_stem(dispatch_id=dispatch_id, place=place)
    home = settings.PUBLIC_URL
    first = make_short(stem=stem)
    return {"open": f"{home}/o/{first}", "why": f"{home}/w/{first}"} | {
        f"l{number}": f"{home}/c/{make_short(stem=stem, link=number)}" for number in range(links)
    }
