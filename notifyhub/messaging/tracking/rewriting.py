"""Which addresses a text leads to: found once, when it is published, and stored with the version.

Only an address that stands in the text as it is can be stored. One that holds a variable differs from
customer to customer, so it stays as it is and is not counted.
"""

import re
from html import unescape

from notifyhub.messaging.rendering.html import LIQUID
from notifyhub.messaging.rendering.links import VARIABLE
from notifyhub.messaging.tracking.short import MOST_LINKS

_HREF = re.compile(r"(<a\b[^>]*?\bhref=)([\"'])(https?://[^\"'{}]+)\2", re.IGNORECASE)
# In plain text an address ends at a blank, a bracket, a quote, or a Chinese sign; closing dots are not its.
_TEXT = re.compile(r"https?://[^\s<>\"'{}（）()，。；！？、【】《》“”]+")
_TRAILING = ".,;:!?"
_BODY_END = re.compile(r"</body>", re.IGNORECASE)
PIXEL = f'<img src="{{{{ {VARIABLE}.open }}}}" width="1" height="1" alt="" style="display:block">'


class Addresses:
    """The addresses of one version by number, shared by all its texts."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def place(self, url: str) -> str | None:
        """Return the Liquid that stands for `url`, or None if no number is left for it."""
        if url not in self.urls:
            if len(self.urls) == MOST_LINKS or len(url) > 2000:
                return None
            self.urls.append(url)
        return f"{{{{ {VARIABLE}.l{self.urls.index(url)} }}}}"


def rewrite_html(source: str, addresses: Addresses) -> str:
    """Return compiled HTML whose links lead through this house, with the image that counts openings."""

    def replace(match: re.Match[str]) -> str:
        placed = addresses.place(unescape(match.group(3)))
        return f"{match.group(1)}{match.group(2)}{placed}{match.group(2)}" if placed else match.group()

    return _BODY_END.sub(lambda end: PIXEL + end.group(), _HREF.sub(replace, source), count=1)


def rewrite_text(source: str, addresses: Addresses) -> str:
    """Return plain text whose addresses lead through this house."""
    out: list[str] = []
    at = 0
    for piece in [*LIQUID.finditer(source), None]:
        end = piece.start() if piece else len(source)
        out.append(_rewrite_words(source[at:end], addresses, open_end=piece is not None))
        if piece is not None:
            out.append(piece.group())
            at = piece.end()
    return "".join(out)


def _rewrite_words(words: str, addresses: Addresses, *, open_end: bool) -> str:
    """Return words without Liquid, rewritten; with an open end, an address there goes on in a variable."""

    def replace(match: re.Match[str]) -> str:
        if open_end and match.end() == len(words):
            return match.group()
        url = match.group().rstrip(_TRAILING)
        placed = addresses.place(url)
        return placed + match.group()[len(url) :] if placed else match.group()

    return _TEXT.sub(replace, words)
