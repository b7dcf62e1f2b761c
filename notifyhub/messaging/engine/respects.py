"""In which respects customers are counted: the first 64 bits of the md5 of a text, signed."""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct

from django.conf import settings

# Rolling windows, in days of the customer: a week includes today.
WEEK_DAYS = 7
SUBJECT_DAYS = 90
_FIRST = Struct(">q")


def respect_of(text: str) -> int:
    """Return the number of a respect; `RESPECT_SQL` gives the same in the database."""
    digest = hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    found: int = _FIRST.unpack_from(digest)[0]
    return found


RESPECT_SQL = "('x' || substr(md5({text}), 1, 16))::bit(64)::bigint"


@lru_cache(maxsize=256)
def cap_respect(message_class: str, channel: str) -> int:
    """Return the respect of a frequency cap; `channel` is "" for all together."""
    return respect_of(f"cap:{message_class}:{channel}")


def subject_respect(subject_ref: str) -> int:
    """Return the respect of one order or bill, over all rules, campaigns and calls."""
    return respect_of(f"subject:{subject_ref}")


def text_respect(subject: str, text: str, html: str | None, *, urls: Sequence[str] = ()) -> int:
    """Return the respect of what a message says, whatever its own links and its signature are.

    A mail with a plain part is known by that: it says the same and is a tenth of the work. `urls` are the
    addresses behind the message's own links, where it shows those.
    """
    said = text or html or ""
    root = settings.PUBLIC_URL
    # To look for one is what it takes to replace none.
    said = _links(root).sub("", said)
    for url in urls:
        said = said.replace(url, "")
    if said.startswith("【"):
        said = said.partition("】")[2] or said
    return respect_of(f"text:{subject or ''}\n{said}")


@lru_cache(maxsize=4)
def _links(root: str) -> re.Pattern[str]:
    # Letters of a token only: in Chinese no blank ends a link.
    return re.compile(re.escape(root) + r"/[a-z]/\.?[A-Za-z0-9_:~=-]+(?:\.[A-Za-z0-9_:~=-]+)*")
