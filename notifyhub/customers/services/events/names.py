"""What other systems' event names are called here."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import EventMapping
from notifyhub.customers.services.events.shapes import EVENT_NAME
from notifyhub.staff.services import audit

_ORDER = {"order_number": "order_id", "merchant": "affiliation"}
# Segment's e-commerce names (version 2) where snake case would not say it: its "Order Completed" is a
# purchase, ours is the arrival. {their name: (our name, {our property: theirs})}
BUILT_IN: dict[str, tuple[str, dict[str, str]]] = {
    "Checkout Started": ("checkout_started", _ORDER),
    "Order Placed": ("order_placed", {**_ORDER, "amount_due": "total"}),
    "Order Completed": ("order_paid", {**_ORDER, "amount_due": "total", "amount_paid": "total"}),
    "Order Updated": ("order_updated", {**_ORDER, "amount_due": "total"}),
    "Order Refunded": ("order_refunded", {**_ORDER, "amount_refunded": "total"}),
    "Order Cancelled": ("order_cancelled", _ORDER),
    "Order Fulfilled": ("order_delivered", _ORDER),
    "Order Delivered": ("order_delivered", _ORDER),
}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^a-z0-9.]+")
_KEY = re.compile(r"^[A-Za-z_][\w.\- ]{0,79}\Z")


@dataclass
class Names:
    """The mappings in force, read once for a request."""

    own: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)

    def ours(self, told: str, properties: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return our name for `told`, with the properties under our keys beside theirs.

        A name with no letter or digit of the alphabet stays as it is, to be mapped by hand.
        """
        name, renamed = self.own.get(told) or BUILT_IN.get(told) or (snake_case(told) or told, {})
        said = dict(properties)
        for mine, theirs in renamed.items():
            if mine not in said and said.get(theirs) is not None:
                said[mine] = said[theirs]
        return name, said


def current_names() -> Names:
    """Return the mappings of now."""
    rows = EventMapping.objects.values_list("told", "name", "properties")
    return Names(own={told: (name, dict(properties)) for told, name, properties in rows})


def snake_case(told: str) -> str:
    """Return a name in lower snake case: Order Completed, orderCompleted and order-completed alike."""
    flat = unicodedata.normalize("NFKC", told).strip()
    name = _OTHER.sub("_", _CAMEL.sub("_", flat).lower()).strip("_.")[:80]
    return name if EVENT_NAME.match(name) else (f"e_{name}"[:80] if name else "")


def read_properties(text: str) -> dict[str, str]:
    """Return {our property: theirs} of lines like “amount_paid = total”; raise Refused for any other line."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        mine, equals, theirs = (part.strip() for part in line.partition("="))
        if not (equals and _KEY.match(mine) and 0 < len(theirs) <= 80 and theirs.isprintable()):
            raise Refused(_("Write one a line, like: amount_paid = total"), field="properties")
        found[mine] = theirs
    if len(found) > 50:
        raise Refused(_("Use at most %d lines.") % 50, field="properties")
    return found


def _checked(told: str, name: str) -> tuple[str, str]:
    told, name = " ".join(told.split()), name.strip()
    if not 0 < len(told) <= 200 or not told.isprintable():
        raise Refused(_("Write their name, at most 200 characters."), field="told")
    if not EVENT_NAME.match(name):
        raise Refused(_("Write the event's name like order_paid."), field="name")
    return told, name


def _write(row: EventMapping, told: str, name: str, properties: Mapping[str, str]) -> None:
    row.told, row.name, row.properties = told, name, dict(properties)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Refused(
            _("This name is mapped already. Change the mapping that is there."), field="told"
        ) from error


@transaction.atomic
def add_mapping(*, told: str, name: str, properties: Mapping[str, str]) -> EventMapping:
    """Let `told` mean our event `name` from now on; return the mapping. Raises Refused if there is one."""
    told, name = _checked(told, name)
    row = EventMapping()
    _write(row, told, name, properties)
    audit.record(verb="add_event_mapping", obj=row, name=name, properties=row.properties)
    return row


@transaction.atomic
def change_mapping(
    *, mapping_id: int, told: str, name: str, properties: Mapping[str, str], version: int | None
) -> EventMapping:
    """Change a mapping for the events to come; return it. Raises Conflict if it changed since `version`."""
    told, name = _checked(told, name)
    row = EventMapping.objects.select_for_update().get(pk=mapping_id)
    if version is not None and row.version != version:
        raise Conflict(
            _("Somebody changed this mapping meanwhile. Your entries are kept; compare and save again.")
        )
    row.version += 1
    _write(row, told, name, properties)
    audit.record(verb="change_event_mapping", obj=row, name=name, properties=row.properties)
    return row


@transaction.atomic
def remove_mapping(*, mapping_id: int) -> None:
    """Go back to the built-in name."""
    row = EventMapping.objects.filter(pk=mapping_id).first()
    if row is None:
        raise Refused(_("This mapping is gone already."))
    audit.record(verb="remove_event_mapping", obj=row, name=row.name)
    row.delete()
