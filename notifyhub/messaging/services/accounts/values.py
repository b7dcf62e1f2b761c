"""Reading the settings of an account by the kinds that its backend declares."""

import re
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.channels.base import SettingField

# One part of a name in the DNS; letters of any language, since names may be international.
LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
LONGEST_LINES = 20_000
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off", ""})


def read_value(field: SettingField, raw: Any) -> Any:
    """Return `raw` (from a form or a command line) in the field's kind; raise Refused if it is not."""
    text = str(raw).strip()
    if field.kind == "integer":
        if not text and not field.required:
            return field.default
        return _read_integer(field, text)
    if field.kind == "boolean":
        if isinstance(raw, bool):
            return raw
        if text.lower() not in TRUE | FALSE:
            raise Refused(_("%s must be yes or no.") % field.label, field=field.name)
        return text.lower() in TRUE
    if field.kind == "choice" and text not in {code for code, _label in field.choices}:
        names = ", ".join(code for code, _label in field.choices)
        raise Refused(
            _("%(label)s must be one of: %(names)s.") % {"label": field.label, "names": names},
            field=field.name,
        )
    if field.kind == "lines":
        return _read_lines(field, text)
    if field.kind == "url":
        return _read_url(field, text)
    if len(text) > 500 or not text.isprintable():
        raise Refused(_("%s is too long or has characters that cannot be.") % field.label, field=field.name)
    if field.kind == "email" and text and not _is_mailbox(text):
        raise Refused(_("%s must be a mailbox like news@example.com.") % field.label, field=field.name)
    if field.kind == "domain" and text and not all(LABEL.fullmatch(part) for part in text.split(".")):
        raise Refused(_("%s must be a name like shop.example.") % field.label, field=field.name)
    if field.kind == "host" and text and not _is_reachable(text):
        raise Refused(
            _(
                "%s must be a server's name or address alone, like smtp.example.com. A name without a dot "
                "must stand in NOTIFYHUB_PRIVATE_ENDPOINTS."
            )
            % field.label,
            field=field.name,
        )
    return text


def _read_integer(field: SettingField, text: str) -> int:
    if not text.lstrip("-").isascii() or not text.lstrip("-").isdigit() or len(text) > 12:
        raise Refused(_("%s must be a whole number.") % field.label, field=field.name)
    if not field.least <= int(text) <= field.most:
        raise Refused(
            _("%(label)s must be between %(least)d and %(most)d.")
            % {"label": field.label, "least": field.least, "most": field.most},
            field=field.name,
        )
    return int(text)


def _is_mailbox(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def is_host(text: str) -> bool:
    """Say whether it is an IP address, or a name whose parts can stand in the DNS."""
    if ":" in text or text.replace(".", "").isdigit():
        try:
            ip_address(text)
        except ValueError:
            return False
        return True
    return len(text) <= 253 and all(LABEL.fullmatch(part) for part in text.split("."))


def _is_reachable(host: str, *, port: int | None = None) -> bool:
    """Say whether a server of this name is more than a slip of the finger.

    A name without a dot is one of our own network: localhost, or one that operations listed; in an address of
    the web also one with a port.
    """
    if not is_host(host):
        return False
    inside = "." in host or ":" in host or host == "localhost" or port is not None
    return inside or host.lower() in settings.PRIVATE_ENDPOINTS


def _read_lines(field: SettingField, text: str) -> str:
    lines = [line.replace("\t", " ").strip() for line in text.splitlines()]
    if len(text) > LONGEST_LINES or not all(line.isprintable() for line in lines):
        raise Refused(_("%s is too long or has characters that cannot be.") % field.label, field=field.name)
    return "\n".join(line for line in lines if line)


def _read_url(field: SettingField, text: str) -> str:
    """Return an address of the web; https is added where no scheme is written."""
    if not text:
        return ""
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_fits = None, False
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= 500
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not (port_fits and _is_reachable(parts.hostname or "", port=parts.port))
        or parts.username is not None
        or parts.fragment
        or not plain
    ):
        raise Refused(
            _("%s must be an address like https://api.example.com/send.") % field.label, field=field.name
        )
    return text.rstrip("/")
