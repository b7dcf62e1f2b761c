"""One request, and how certain one can be about it when something goes wrong."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_WAIT = 86_400.0


class CallFailed(Exception):
    """There is no answer. `sent` says that the request may have been received, so nobody may repeat it."""

    def __init__(self, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.detail = detail
        self.sent = sent


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A vendor's answer: status, headers by lower-case name, and the body as far as we read it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Return the body as JSON, None if it is not."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def text(self) -> str:
        """Return the beginning of the body on one line, to show to a person."""
        return " ".join(self.body[:600].decode("utf-8", "replace").split())[:200]

    def retry_after(self, *, now: datetime | None = None) -> float | None:
        """Return the vendor's wish in seconds, given as seconds or as a date; None if there is none."""
        wish = self.headers.get("retry-after", "").strip()
        if not wish:
            return None
        if wish.isascii() and wish.isdigit():
            return min(float(wish), LONGEST_WAIT)
        try:
            moment = parsedate_to_datetime(wish)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - (now or datetime.now(UTC))).total_seconds()
        return min(max(seconds, 0.0), LONGEST_WAIT)
