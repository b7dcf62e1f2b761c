"""The public links of one message."""

from collections.abc import Callable, Sequence

from django.conf import settings

from notifyhub.core.tokens import token_maker
from notifyhub.messaging.tracking.short import Stems, link_digit

UNSUBSCRIBE = "unsubscribe"
# The variable by which a text places the link; sending fills it for every message.
UNSUBSCRIBE_VARIABLE = "unsubscribe_url"

# Published texts lead through {{ nh.l0 }}, {{ nh.open }} and {{ nh.why }}; no text can set them itself.
VARIABLE = "nh"
BLANK_IMAGE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def unsubscribe_url(*, dispatch_id: int, delivery_id: int) -> str:
    """Return the address of RFC 8058's one-click page for one message, for header and text."""
    return unsubscribe_urls(dispatch_id)(delivery_id)


def unsubscribe_urls(dispatch_id: int) -> Callable[[int], str]:
    """Return what gives that address for the messages of one dispatch, under the key of this moment."""
    start, make = f"{settings.PUBLIC_URL}/u/", token_maker(UNSUBSCRIBE)
    return lambda delivery_id: start + make([dispatch_id, delivery_id])


def plain_links(urls: Sequence[str]) -> dict[str, str]:
    """Return `nh` for showing a text to staff: its links lead straight where they lead, nothing counts."""
    return {"open": BLANK_IMAGE, "why": "#"} | {f"l{number}": url for number, url in enumerate(urls)}


class CountedLinks:
    """`nh` for the messages of one dispatch: every link counted and explained under its own short token."""

    def __init__(self, *, dispatch_id: int, blocks: Sequence[int], links: int) -> None:
        home, first = settings.PUBLIC_URL, link_digit(0)
        self._stems = Stems(dispatch_id=dispatch_id, blocks=blocks)
        self._starts = {"open": f"{home}/o/{first}", "why": f"{home}/w/{first}"} | {
            f"l{number}": f"{home}/c/{link_digit(number)}" for number in range(links)
        }

    def of(self, delivery_id: int) -> dict[str, str]:
        """Return `nh` of one message; empty for one beyond the places that a token can name, whose text then
        keeps the plain links."""
        stem = self._stems.of(delivery_id)
        return {} if stem is None else {name: start + stem for name, start in self._starts.items()}
