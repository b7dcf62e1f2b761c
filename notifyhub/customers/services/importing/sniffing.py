"""What encoding and delimiter a text file has."""

import codecs
import csv
from collections import Counter
from pathlib import Path

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused

ENCODINGS = {"utf-8": "UTF-8", "gb18030": "GB18030 (GBK)", "utf-16-le": "UTF-16 LE", "utf-16-be": "UTF-16 BE"}
DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon"}

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BLOCK = 1 << 20
_LINES_TO_JUDGE = 5000


def clean_encoding(name: str) -> str:
    """Return one of ENCODINGS for what a person typed; raise Refused if it is none."""
    wanted = name.strip().lower().replace("_", "-")
    for alias, encoding in {
        "utf-8-sig": "utf-8",
        "utf8": "utf-8",
        "gbk": "gb18030",
        "gb2312": "gb18030",
        "cp936": "gb18030",
        "utf-16": "utf-16-le",
        "utf-16le": "utf-16-le",
        "utf-16be": "utf-16-be",
    }.items():
        if wanted == alias:
            return encoding
    if wanted not in ENCODINGS:
        raise Refused(
            _("Unknown encoding “%(name)s”. Use one of: %(known)s.")
            % {"name": name, "known": ", ".join(ENCODINGS)},
            field="encoding",
        )
    return wanted


def clean_delimiter(name: str) -> str:
    """Return the delimiter for what a person typed (a character or its name); raise Refused if unknown."""
    for delimiter, word in DELIMITERS.items():
        if name in (delimiter, word, repr(delimiter).strip("'")):
            return delimiter
    raise Refused(_("The delimiter is one of: comma, tab, semicolon."), field="delimiter")


def bom_length(path: Path) -> int:
    """Return how many bytes of byte order mark the file begins with."""
    with path.open("rb") as file:
        head = file.read(3)
    return next((len(bom) for bom, _name in _BOMS if head.startswith(bom)), 0)


def sniff_encoding(path: Path) -> str:
    """Return the encoding that most of the file's lines are in.

    The byte order mark decides; else zero bytes at every other place mean UTF-16; else the lines that are
    not plain ASCII vote between UTF-8 and GB18030.
    """
    with path.open("rb") as file:
        block = file.read(_BLOCK)
        for bom, name in _BOMS:
            if block.startswith(bom):
                return name
        even, odd = block[0:4000:2].count(0), block[1:4000:2].count(0)
        if odd > len(block[:4000]) // 8 and odd > 4 * even:
            return "utf-16-le"
        if even > len(block[:4000]) // 8 and even > 4 * odd:
            return "utf-16-be"
        votes: Counter[str] = Counter()
        rest = b""
        while block:
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            if not block.isascii():
                votes.update(encoding_of(line) for line in lines if not line.isascii())
            if votes.total() > _LINES_TO_JUDGE:
                break
            block = file.read(_BLOCK)
        if rest and not rest.isascii():
            votes[encoding_of(rest)] += 1
    return "gb18030" if votes["gb18030"] > votes["utf-8"] else "utf-8"


def encoding_of(line: bytes) -> str:
    """Return the encoding a single line is in, "" if it is in none of them."""
    for name in ("utf-8", "gb18030"):
        try:
            line.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return ""


def sniff_delimiter(lines: list[str]) -> str:
    """Return the delimiter that cuts the first lines into the most, and equally many, cells."""
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) == 5:
        return lines[0].strip()[4]
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not widths or widths[0] < 2:
            continue
        agreeing = sum(width == widths[0] for width in widths) / len(widths)
        score = agreeing * widths[0] if agreeing >= 0.5 else agreeing
        if score > best_score:
            best, best_score = delimiter, score
    return best
