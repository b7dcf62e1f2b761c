"""Properties of events as people read them; what is personal or sensitive is masked."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifyhub.core.contact import mask_email, mask_phone, normalise_phone
from notifyhub.core.templatetags.nh import money, when
from notifyhub.customers.models import EventProperty, Sensitivity
from notifyhub.customers.services.importing.problems import mask_cell

HIDDEN = "••••"
LONGEST = 80
Masks = Mapping[tuple[str, str], str]

# Words for the keys that platforms commonly use; another key is shown as it is written.
KEYS: dict[str, Any] = {
    "amount_due": gettext_lazy("Amount due"),
    "amount_paid": gettext_lazy("Amount paid"),
    "amount_refunded": gettext_lazy("Amount refunded"),
    "merchant": gettext_lazy("Merchant"),
    "city": gettext_lazy("City"),
    "line": gettext_lazy("Business line"),
    "currency": gettext_lazy("Currency"),
    "check_in": gettext_lazy("Check-in"),
    "promised_at": gettext_lazy("Promised for"),
    "due_at": gettext_lazy("Payment due"),
    "starts_at": gettext_lazy("Check-in or departure"),
    "channel": gettext_lazy("Channel"),
    "name": gettext_lazy("Name"),
    "category": gettext_lazy("Category"),
    "quantity": gettext_lazy("Quantity"),
    "price": gettext_lazy("Price"),
    "coupon": gettext_lazy("Coupon"),
    "case": gettext_lazy("Case"),
    "total": gettext_lazy("Total"),
    "amount": gettext_lazy("Amount"),
    "product": gettext_lazy("Product"),
    "platform": gettext_lazy("Platform"),
    "title": gettext_lazy("Title"),
}
_AMOUNTS = {"amount_due", "amount_paid", "amount_refunded", "total", "price", "amount"}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"^\+?[\d\s\-]{8,20}$")


def key_words(key: str) -> str:
    """Return what people call a property."""
    return str(KEYS.get(key, key.replace("_", " ")))


def masks_of(names: Iterable[str]) -> Masks:
    """Return {(event, key): sensitivity} of all that is not plain among these events; one query."""
    rows = EventProperty.objects.filter(event__name__in=set(names)).exclude(sensitivity=Sensitivity.NONE)
    return {(name, key): kind for name, key, kind in rows.values_list("event__name", "key", "sensitivity")}


def shown_properties(
    name: str, properties: Any, masks: Masks, *, most: int = 8, without: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Return the first properties of an event as pairs of words."""
    if not isinstance(properties, Mapping):
        return []
    left_out = set(without)
    currency = properties.get("currency")
    pairs = []
    for key, value in properties.items():
        if key in left_out or value in (None, "", [], {}):
            continue
        kind = masks.get((name, key), Sensitivity.NONE)
        if kind == Sensitivity.NONE and key in _AMOUNTS:
            text = _amount(value, currency)
        else:
            text = shown_value(value, kind)
        pairs.append((key_words(key), text))
        if len(pairs) == most:
            break
    return pairs


def shown_value(value: Any, kind: str = Sensitivity.NONE) -> str:
    """Return one value as people read it: never JSON, masked as `kind` asks."""
    if kind == Sensitivity.SENSITIVE:
        return HIDDEN
    text = _plain(value)
    if kind == Sensitivity.PERSONAL:
        return mask_cell(text)
    return _short(_guarded(text))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(item)}" for key, item in list(value.items())[:6])
    if isinstance(value, list | tuple):
        more = f" +{len(value) - 4}" if len(value) > 4 else ""
        return ", ".join(_plain(item) for item in value[:4]) + more
    if isinstance(value, str) and len(value) > 15 and value[4:5] == "-":
        try:
            moment = parse_datetime(value)
        except ValueError:
            moment = None
        if moment is not None and is_aware(moment):
            return when(moment)
    return "—" if value is None else str(value)


def _guarded(text: str) -> str:
    """Return a text without the phone or mailbox that nobody declared."""
    if "@" in text:
        text = _EMAIL.sub(lambda found: mask_email(found[0]), text)
    if _PHONE.match(text) and len(digits := re.sub(r"\D", "", text)) >= 11:
        number = normalise_phone(digits)
        if number and number.startswith("+861"):
            return mask_phone(number)
    return text


def _amount(value: Any, currency: Any) -> str:
    try:
        return money(value, currency if isinstance(currency, str) else "CNY")
    except (ArithmeticError, ValueError):
        return _short(_guarded(_plain(value)))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
