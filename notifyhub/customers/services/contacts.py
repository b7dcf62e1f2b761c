"""One contact point: its spelling, its hashes, its masked form."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from notifyhub.core import crypto
from notifyhub.core.contact import digits_of, mask_email, mask_phone, normalise_email, normalise_phone
from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint

Kind = ContactPoint.Kind


@dataclass(frozen=True, kw_only=True)
class ContactValue:
    """A normalised contact point, ready to be stored or looked up."""

    kind: str
    value: str
    value_hash: bytes
    last7_hash: bytes | None
    last4: str
    masked: str


def normalise(*, kind: str, raw: str) -> str | None:
    """Return `raw` in the one spelling of its kind, or None if it cannot be one."""
    if kind == Kind.PHONE:
        return normalise_phone(raw)
    if kind == Kind.EMAIL:
        return normalise_email(raw)
    flat = (raw or "").strip()
    return flat if 0 < len(flat) <= 255 and flat.isprintable() else None


def value_hash(*, kind: str, value: str) -> bytes:
    """Return the look-up hash of a normalised value; phones and mailboxes never share one."""
    return crypto.blind_index(value, purpose=f"contact.{kind}")


def last7_hash(digits: str) -> bytes:
    """Return the look-up hash of the last seven of `digits`."""
    return crypto.blind_index(digits[-7:], purpose="contact.last7")


def read_contact(*, kind: str, raw: str) -> ContactValue:
    """Return the contact point behind `raw`; raise Refused (field = kind) if it cannot be one."""
    value = normalise(kind=kind, raw=raw)
    if value is None:
        messages = {
            Kind.PHONE: _("This is not a phone number. Write it like 138 1234 5678 or +86 138 1234 5678."),
            Kind.EMAIL: _("This is not an email address. Write it like name@example.com."),
        }
        raise Refused(messages.get(Kind(kind), _("This is not a usable contact point.")), field=kind)
    phone = kind == Kind.PHONE
    digits = digits_of(value) if phone else ""
    if phone:
        masked = mask_phone(value)
    elif kind == Kind.EMAIL:
        masked = mask_email(value)
    else:
        masked = f"{value[:3]}…{value[-3:]}" if len(value) > 8 else "…"
    return ContactValue(
        kind=kind,
        value=value,
        value_hash=value_hash(kind=kind, value=value),
        last7_hash=last7_hash(digits) if phone and len(digits) >= 7 else None,
        last4=digits[-4:] if phone else "",
        masked=masked,
    )


def contact_row(contact: ContactValue, *, customer_id: int, primary: bool = True) -> ContactPoint:
    """Return the unsaved row for `contact`."""
    return ContactPoint(
        customer_id=customer_id,
        kind=contact.kind,
        value=contact.value,
        value_hash=contact.value_hash,
        last7_hash=contact.last7_hash,
        last4=contact.last4,
        masked=contact.masked,
        primary=primary,
        key_id=crypto.current_key_id(),
    )
