"""Reading what a server says: lines into replies, and nothing taken for a reply that is none."""

import re
from typing import NamedTuple

LINE_LIMIT = 8192
MAX_REPLY_LINES = 100
# Whole replies of one line each, as nearly all are.
_SIMPLE = re.compile(rb"(?:[2-5]\d\d [^\r\n]{0,500}\r\n)+")


class Reply(NamedTuple):
    """One reply of the server; `raw` is its text, all its lines joined by line feeds."""

    code: int
    raw: bytes = b""

    @property
    def text(self) -> str:
        """Return the reply's words."""
        return self.raw.decode("utf-8", "replace")


class ReplyReader:
    """Collects replies from bytes as they come in.

    After the first thing that is no reply `broken` says what was wrong and the rest is not read: whoever
    talks nonsense once cannot be believed afterwards.
    """

    def __init__(self) -> None:
        self.broken = ""
        self._rest = b""
        self._more: list[bytes] = []

    @property
    def between(self) -> bool:
        """Say whether a reply has begun and not ended."""
        return bool(self._rest or self._more)

    def feed(self, data: bytes) -> list[Reply]:
        """Return the replies that are whole with `data`."""
        found: list[Reply] = []
        if self.broken:
            return found
        if not self._rest and not self._more and _SIMPLE.fullmatch(data):
            return [Reply(int(line[:3]), line[4:-1]) for line in data.split(b"\n")[:-1]]
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            line = line.removesuffix(b"\r")
            code, mark = line[:3], line[3:4]
            # bytes.isdigit() knows ASCII alone.
            if not (len(code) == 3 and code.isdigit() and b"200" <= code < b"600" and mark in b" -"):
                return self._break(found, "The server does not speak SMTP.")
            if len(line) > LINE_LIMIT:
                return self._break(found, "The server's reply is too long.")
            if mark == b"-":
                self._more.append(line)
                if len(self._more) > MAX_REPLY_LINES:
                    return self._break(found, "The server's reply has no end.")
                continue
            if self._more:
                if any(one[:3] != code for one in self._more):
                    return self._break(found, "The server contradicts itself.")
                text = b"\n".join(one[4:] for one in (*self._more, line))
                self._more = []
            else:
                text = line[4:]
            found.append(Reply(int(code), text))
        if len(self._rest) > LINE_LIMIT:
            return self._break(found, "The server's reply is too long.")
        return found

    def _break(self, found: list[Reply], why: str) -> list[Reply]:
        self.broken = why
        self._rest, self._more = b"", []
        return found
