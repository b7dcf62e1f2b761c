"""Bodies as Segment's clients send them: JSON of whatever content type, often gzipped, never too long."""

import json
import zlib
from typing import Any

from django.utils.translation import gettext as _

# As Segment documents them: a message has at most 32 KB, a batch at most 500 KB, both unpacked.
MAX_MESSAGE = 32 * 1024
MAX_BODY = 500 * 1024
# In messages of the shortest kind that is what such a batch can hold.
MAX_MESSAGES = 5000


class BadBody(Exception):
    """A body nobody can read; `status` and `code` are what the client is told."""

    def __init__(self, message: str, *, code: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def read_body(raw: bytes, *, encoding: str) -> dict[str, Any]:
    """Return the JSON object of a body; raise BadBody if it is none, or longer than allowed once unpacked."""
    if encoding in ("gzip", "x-gzip"):
        raw = _unpack(raw)
    elif encoding not in ("", "identity"):
        raise BadBody(_("Send the body plain or as gzip."), code="unsupported_encoding", status=415)
    if len(raw) > MAX_BODY:
        raise _too_long()
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadBody(_("This is not usable as JSON."), code="invalid_json") from error
    if not isinstance(found, dict):
        raise BadBody(_("Send one JSON object."), code="invalid_json")
    return found


def _too_long() -> BadBody:
    return BadBody(_("Send at most %d KB a request.") % (MAX_BODY >> 10), code="too_large", status=413)


def _unpack(raw: bytes) -> bytes:
    """Return the text of a gzip file of any number of members, unpacking no more than is allowed."""
    parts: list[bytes] = []
    left = MAX_BODY
    try:
        while raw:
            unpacker = zlib.decompressobj(wbits=31)
            part = unpacker.decompress(raw, left + 1)
            left -= len(part)
            if left < 0:
                raise _too_long()
            if not unpacker.eof:
                raise zlib.error("cut off")
            parts.append(part)
            raw = unpacker.unused_data
    except zlib.error as error:
        raise BadBody(_("The body says it is gzip and is not."), code="invalid_gzip") from error
    return b"".join(parts)
