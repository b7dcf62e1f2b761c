"""One spelling for phone numbers and email addresses, and the masked form people see."""

import re
import unicodedata

import phonenumbers

_DIGITS = re.compile(r"\D+")
_NOISE = re.compile(r"[\s\-‐-―()/.·]")
_MAINLAND_MOBILE = re.compile(r"^(?:\+86)?1[3-9][0-9]{9}\Z")
_E164_LIKE = re.compile(r"^\+?\d{5,15}\Z")
_EMAIL = re.compile(r"^[^@\s<>\",;]{1,64}@[^@\s<>\",;.]+(\.[^@\s<>\",;.]+)+$")


def normalise_phone(text: str, *, region: str = "CN") -> str | None:
    """Return `text` in E.164 (+8613812345678), or None if it cannot be a phone number.

    Full-width digits, spaces, dashes, brackets, slashes and a missing country code are understood.
    """
    # Spreadsheets mark a number kept as text by an apostrophe in front.
    flat = unicodedata.normalize("NFKC", text or "").strip().lstrip("'’")
    flat = _NOISE.sub("", flat)
    if flat.startswith("00"):
        flat = "+" + flat[2:]
    elif re.fullmatch(r"86\d{11}", flat):
        flat = "+" + flat
    if region == "CN" and _MAINLAND_MOBILE.match(flat):
        # The library comes to the same in twenty times the time; imports read millions of these.
        return "+86" + flat[-11:]
    if not _E164_LIKE.match(flat):
        return None
    try:
        number = phonenumbers.parse(flat, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_email(text: str) -> str | None:
    """Return the address trimmed, NFKC, with its domain lower-cased, or None if it is not one.

    The local part is lower-cased too: no mailbox provider in use tells case apart, and two customers
    must not become of one person by a capital letter (RFC 5321 2.4 permits the distinction).
    """
    flat = unicodedata.normalize("NFKC", text or "").strip().lower()
    if len(flat) > 254 or not _EMAIL.match(flat):
        return None
    return flat


def digits_of(text: str) -> str:
    """Return only the digits of `text`, full-width ones included."""
    return _DIGITS.sub("", unicodedata.normalize("NFKC", text or ""))


def mask_phone(e164: str) -> str:
    """Return 138****1234 for +8613812341234; other numbers keep prefix and last four."""
    digits = digits_of(e164)
    if e164.startswith("+86") and len(digits) == 13:
        digits = digits[2:]
        return f"{digits[:3]}****{digits[-4:]}"
    return f"+{digits[:2]}****{digits[-4:]}" if len(digits) > 6 else "****"


def mask_email(address: str) -> str:
    """Return l***@mail.example for liu@mail.example."""
    local, at, domain = address.partition("@")
    return f"{local[:1]}***@{domain}" if at else "***"
