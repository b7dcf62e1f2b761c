"""The text of a mail's parts as bytes that a server takes: 7bit, 8bit, quoted-printable or base64."""

from binascii import b2a_base64, b2a_qp
from collections.abc import Callable
from struct import Struct

# RFC 5322 2.1.1, without the line end.
LONGEST_LINE = 998
_LINE = 76
_BLOCK = 1024
# A struct of lines cuts a long string into them at once, in C.
_cut_block = Struct(f"{_LINE}s" * _BLOCK).unpack_from
_cutters: dict[int, Callable[[bytes, int], tuple[bytes, ...]]] = {}


def base64_lines(raw: bytes) -> bytes:
    """Return `raw` in base64, in lines of 76, without a line end after the last."""
    coded = b2a_base64(raw, newline=False)
    lines: list[bytes] = []
    place = 0
    while len(coded) - place >= _LINE * _BLOCK:
        lines += _cut_block(coded, place)
        place += _LINE * _BLOCK
    count = (len(coded) - place) // _LINE
    if count:
        cut = _cutters.get(count)
        if cut is None:
            cut = _cutters[count] = Struct(f"{_LINE}s" * count).unpack_from
        lines += cut(coded, place)
        place += _LINE * count
    if place < len(coded):
        lines.append(coded[place:])
    return b"\r\n".join(lines)


def goes_as_it_is(raw: bytes) -> bool:
    """Say whether text with CRLF line ends keeps to what a server takes uncoded: no NUL, no long line."""
    if b"\0" in raw:
        return False
    place, end = 0, len(raw)
    while end - place > LONGEST_LINE:
        # From one line end to the last within reach of it: a few looks instead of one for each line.
        found = raw.rfind(b"\r\n", place, place + LONGEST_LINE + 2)
        if found < 0:
            return False
        place = found + 2
    return True


def encode_text(text: str, *, eight_bit: bool) -> tuple[str, bytes]:
    """Return the transfer encoding for `text` and the text in it, with CRLF line ends and none at its end.

    As it is where lines and characters allow it (`eight_bit` says that the server takes any); else in the
    shorter of quoted-printable and base64.
    """
    raw = text.encode("utf-8", "replace")
    odd = len(raw) - len(text)
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    raw = raw.replace(b"\n", b"\r\n")
    plain = not odd
    if (plain or eight_bit) and goes_as_it_is(raw):
        return ("7bit" if plain else "8bit"), raw
    # A Chinese character is two odd bytes, and six more in quoted-printable; soft breaks add a twentieth.
    if 4 * odd + 2 * raw.count(b"=") + len(raw) // 20 < len(raw) // 4:
        return "quoted-printable", b2a_qp(raw, istext=True)
    return "base64", base64_lines(raw)
