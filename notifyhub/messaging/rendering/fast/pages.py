"""The output of a text as the bytes of a mail: the template's own words are turned into them once."""

from collections.abc import Callable, Iterable

from notifyhub.messaging.channels.base import Page
from notifyhub.messaging.rendering.fast.runtime import Unsure
from notifyhub.messaging.rendering.limits import OUTPUT_BYTES


def page_of(text: str) -> Page | None:
    """Return a text that never changes as a page; None if only the slow way knows its bytes."""
    if "\r" in text:
        return None
    return Page(_wire(text), "\n." in text or text.startswith("."))


def page_finisher(constants: Iterable[str]) -> Callable[[list[str]], Page]:
    """Return what takes the place of `runtime.finish` for a text with these words of its own.

    Whatever could give other bytes than the finished text, coded for a mail, makes it raise Unsure.
    """
    known = {text: _wire(text) for text in constants}
    dots = any("\n." in text or text.startswith(".") for text in known)

    def finish(pieces: list[str]) -> Page:
        data = b"".join(
            [
                known.get(piece)
                # None of the characters that need a closer look is printable, but for the dot.
                or (piece.encode() if piece.isprintable() and piece[:1] != "." else _variable(piece))
                for piece in pieces
            ]
        )
        if 2 * len(data) > OUTPUT_BYTES:
            raise Unsure
        return Page(data, dots)

    return finish


def _wire(text: str) -> bytes:
    return text.encode().replace(b"\n", b"\r\n")


def _variable(text: str) -> bytes:
    # A line end may have its other half in the next piece, and a dot a line end before it.
    if "\r" in text or text[:1] == "." or "\n." in text:
        raise Unsure
    return text.encode().replace(b"\n", b"\r\n") if "\n" in text else text.encode()
