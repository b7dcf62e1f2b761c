"""Reading days from pasted lines or a file: 2027-02-05 to 2027-02-11, off, Spring Festival."""

import re
from collections.abc import Iterator
from datetime import date, timedelta

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused

MOST_LINES = 2_000
MOST_BYTES = 256 * 1024
LONGEST = 60
FIRST_YEAR, LAST_YEAR = 2000, 2100
OFF = {"off", "holiday", "rest", "休", "假", "休假", "休息", "放假", "节假日", "no", "false", "0"}
WORK = {"work", "working", "workday", "班", "上班", "补班", "调休上班", "工作日", "yes", "true", "1"}
_DATE = r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
_LINE = re.compile(rf"{_DATE}(?:\s*(?:to|until|~|～|–|—|至|到|-)\s*{_DATE})?(?:[\s,;，；、\t]+(.*))?")


def decode(raw: bytes) -> str:
    """Return the text of an uploaded file, UTF-8 or GB 18030; raise Refused for anything else."""
    if len(raw) > MOST_BYTES:
        raise Refused(_("Use a file of at most %d KB.") % (MOST_BYTES // 1024), field="file")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused(_("This is not a text file."), field="file")


def read_days(text: str) -> dict[date, tuple[bool, str]]:
    """Return {day: (works, occasion)}; raise Refused naming the first line that is not understood."""
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        raise Refused(_("Use at most %d lines.") % MOST_LINES, field="text")
    days: dict[date, tuple[bool, str]] = {}
    for number, line in enumerate(lines, start=1):
        plain = line.replace("\x00", "").strip().strip('"')
        if not plain or plain.startswith("#"):
            continue
        if number == 1 and not plain[0].isdigit():
            # The head of a table.
            continue
        days |= dict(_read_line(number, plain))
    if not days:
        raise Refused(_("Write at least one day, like 2027-01-01, off, New Year."), field="text")
    return days


def _read_line(number: int, line: str) -> Iterator[tuple[date, tuple[bool, str]]]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise _wrong(number, line)
    *parts, rest = found.groups()
    try:
        first = date(*(int(part) for part in parts[:3]))
        last = date(*(int(part) for part in parts[3:])) if parts[3] else first
    except ValueError as error:
        raise _wrong(number, line) from error
    if not (
        first.year >= FIRST_YEAR
        and last.year <= LAST_YEAR
        and timedelta() <= last - first <= timedelta(LONGEST)
    ):
        raise _wrong(number, line)
    word, _gap, name = re.sub(r"[,;，；、\t]", " ", rest or "").strip().strip('"').partition(" ")
    works = word.strip('"').lower() in WORK
    if word and not works and word.strip('"').lower() not in OFF:
        # No word for it: what is listed is a day off.
        name = f"{word} {name}"
    for ahead in range((last - first).days + 1):
        yield first + timedelta(days=ahead), (works, name.strip().strip('"')[:60])


def _wrong(number: int, line: str) -> Refused:
    return Refused(
        _("Line %(n)d is not understood: “%(line)s”. Write it like 2027-01-01, off, New Year.")
        % {"n": number, "line": line[:60]},
        field="text",
    )
