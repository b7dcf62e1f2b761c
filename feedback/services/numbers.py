"""Case numbers: the day, a running number drawn under a row lock, and a check digit."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils import timezone

# Damm's quasigroup of order 10 (H. M. Damm, 2004): it finds every single wrong digit and every swap of two
# neighbours, which is what goes wrong when a number is read out over the phone.
_DAMM = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
_NUMBER = re.compile(r"C?(\d{6})-?(\d{5,6})-?(\d)", re.IGNORECASE)

_DRAW = """
    INSERT INTO feedback_casecounter (day, last) VALUES (%s, 1)
    ON CONFLICT (day) DO UPDATE SET last = feedback_casecounter.last + 1
    RETURNING last
"""


def check_digit(digits: str) -> str:
    """Return the digit that makes `digits` verifiable."""
    row = 0
    for digit in digits:
        row = int(_DAMM[row][int(digit)])
    return str(row)


def draw_number(*, now: datetime) -> str:
    """Return the next number of the day, like C261120-00421-7; its counter stays locked until commit."""
    day = timezone.localdate(now, ZoneInfo(settings.TIME_ZONE))
    with connection.cursor() as cursor:
        cursor.execute(_DRAW, [day])
        last = cursor.fetchone()[0]
    digits = f"{day:%y%m%d}{last:05d}"
    return f"C{digits[:6]}-{digits[6:]}-{check_digit(digits)}"


def read_number(text: str) -> str | None:
    """Return the case number in `text` in its one spelling; None if it is none or a digit is wrong."""
    match = _NUMBER.fullmatch(text.strip().replace(" ", ""))
    if not match or check_digit(match[1] + match[2]) != match[3]:
        return None
    return f"C{match[1]}-{match[2]}-{match[3]}"
