"""How each model of this app that points to a customer is copied out for them, and erased with them."""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from notifyhub.core.registry import PersonalData, SealedColumn, personal_data, sealed_columns
from notifyhub.customers.models import (
    AlertEvent,
    Alias,
    Consent,
    ConsentRecord,
    ContactPoint,
    Customer,
    CustomerTrait,
    Event,
    Hold,
    Merge,
    Order,
    ParkedEvent,
    SegmentMember,
    Suppression,
    WatchFinding,
    WatchSighting,
)
from notifyhub.customers.services.events.waiting import hashes_of
from notifyhub.customers.services.suppressions import suppress

# What is concluded about a person is theirs to read as well.
PORTRAIT = tuple(f.name for f in CustomerTrait._meta.concrete_fields if f.name != "customer")


def _rows(rows: QuerySet[Any], *fields: str) -> list[dict[str, Any]]:
    return list(rows.order_by("pk").values(*fields))


def _exporter(model: type[Any], *fields: str) -> Callable[[int], Any]:
    return lambda customer_id: _rows(model.objects.filter(customer_id=customer_id), *fields)


def _deleter(model: type[Any]) -> Callable[[int], int]:
    return lambda customer_id: model.objects.filter(customer_id=customer_id).delete()[0]


def export_customer(customer_id: int) -> Any:
    """Return the row of the customer and of those merged into it."""
    rows = Customer.objects.filter(pk=customer_id) | Customer.objects.filter(merged_into_id=customer_id)
    fields = ("external_id", "name", "locale", "time_zone", "city", "attributes", "tags", "created_at")
    return _rows(rows, *fields)


def erase_customer_row(customer_id: int) -> int:
    """Leave a skeleton for the statistics; return how many rows became one."""
    rows = Customer.objects.filter(pk=customer_id) | Customer.objects.filter(merged_into_id=customer_id)
    # A merged row stays merged: its state says where it went, and it is empty now.
    Customer.objects.filter(pk=customer_id).update(state=Customer.State.ERASED)
    return rows.update(name="", external_id=None, attributes={}, tags=[], updated_at=timezone.now())


def export_contacts(customer_id: int) -> Any:
    """Return the contact points in full: it is the person's own copy."""
    return [
        {"kind": row.kind, "value": row.value, "valid": row.valid, "primary": row.primary}
        for row in ContactPoint.objects.filter(customer_id=customer_id).order_by("pk")
    ]


def erase_contacts(customer_id: int) -> int:
    """Suppress what cannot be written to any more, by its hash alone, and delete the values."""
    rows = ContactPoint.objects.masked().filter(customer_id=customer_id)
    for row in rows:
        shared = ContactPoint.objects.filter(value_hash=row.value_hash).exclude(customer_id=customer_id)
        # A number that another customer uses too is still theirs.
        if not shared.exists():
            suppress(
                kind=row.kind,
                value_hash=bytes(row.value_hash),
                masked="—",
                reason=Suppression.Reason.ERASED,
            )
    return rows.delete()[0]


def erase_orders(customer_id: int) -> int:
    """Keep number, state and amounts, as the books must; forget where and when."""
    return Order.objects.filter(customer_id=customer_id).update(
        merchant="", city="", starts_at=None, promised_at=None, fulfilled_at=None
    )


def erase_records(customer_id: int) -> int:
    """Keep that consent was given and withdrawn, which we must be able to prove; forget the wording."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('notifyhub.erasing', 'on', true)")
        rows = ConsentRecord.objects.filter(customer_id=customer_id)
        changed = rows.update(wording="", proof="")
        cursor.execute("SELECT set_config('notifyhub.erasing', 'off', true)")
    return changed


def erase_holds(customer_id: int) -> int:
    """End the holds and forget their reasons."""
    Hold.objects.filter(customer_id=customer_id, released_at=None).update(released_at=timezone.now())
    return Hold.objects.filter(customer_id=customer_id).update(reason="—")


def export_merges(customer_id: int) -> Any:
    """Return when rows were merged into this customer."""
    return _rows(Merge.objects.filter(kept_id=customer_id), "at", "undone_at")


def erase_merges(customer_id: int) -> int:
    """Forget what moved: a merge with an erased customer is not undone."""
    return Merge.objects.filter(kept_id=customer_id).update(moved={})


def export_parked(customer_id: int) -> Any:
    """Return the events that wait for this customer or were put aside, with what was told."""
    rows = ParkedEvent.objects.filter(keys__overlap=hashes_of(customer_ids=[customer_id])).order_by("pk")
    return [{"name": row.name, "occurred_at": row.occurred_at, "told": row.payload} for row in rows[:1000]]


def erase_parked(customer_id: int) -> int:
    """Delete them: they are found by number, phone and email, so this comes before those are erased."""
    rows = ParkedEvent.objects.filter(keys__overlap=hashes_of(customer_ids=[customer_id]))
    return rows.delete()[0]


def export_aliases(customer_id: int) -> Any:
    """Return when other ids were bound to this customer; the ids themselves are not kept."""
    return _rows(Alias.objects.filter(customer_id=customer_id), "source", "bound_at")


def register() -> None:
    """Hand the handlers to the registry."""
    order = (
        "number",
        "line",
        "merchant",
        "city",
        "state",
        "currency",
        "amount_due",
        "amount_paid",
        "placed_at",
    )
    record = ("topic__code", "channel", "decision", "given_at", "source", "wording")
    handlers = {
        "Customer": (export_customer, erase_customer_row),
        "ContactPoint": (export_contacts, erase_contacts),
        "Order": (_exporter(Order, *order), erase_orders),
        "Event": (
            _exporter(Event, "name", "occurred_at", "order_number", "properties", "source"),
            _deleter(Event),
        ),
        "ConsentRecord": (_exporter(ConsentRecord, *record), erase_records),
        "Consent": (
            _exporter(Consent, "topic__code", "channel", "decision", "given_at"),
            _deleter(Consent),
        ),
        "Hold": (_exporter(Hold, "scope", "scope_value", "reason", "placed_at", "ends_at"), erase_holds),
        "CustomerTrait": (_exporter(CustomerTrait, *PORTRAIT), _deleter(CustomerTrait)),
        "SegmentMember": (_exporter(SegmentMember, "segment__name"), _deleter(SegmentMember)),
        "Merge": (export_merges, erase_merges),
        "AlertEvent": (
            _exporter(AlertEvent, "name", "occurred_at", "order_number", "alert__rule__name"),
            _deleter(AlertEvent),
        ),
        "WatchFinding": (_exporter(WatchFinding, "rule__name", "occurred_at"), _deleter(WatchFinding)),
        # Copies of events, which are exported as such.
        "WatchSighting": (lambda customer_id: [], _deleter(WatchSighting)),
    }
    contacts = SealedColumn(model="customers.ContactPoint", field="value", key_field="key_id")
    sealed_columns.register("customers.ContactPoint.value", contacts)
    told = SealedColumn(model="customers.ParkedEvent", field="sealed", at_once=200)
    sealed_columns.register("customers.ParkedEvent.sealed", told)
    parked = PersonalData(export=export_parked, erase=erase_parked)
    personal_data.register("customers.ParkedEvent", parked, order=10)
    aliases = PersonalData(export=export_aliases, erase=_deleter(Alias))
    personal_data.register("customers.Alias", aliases, order=20)
    for name, (export, erase) in handlers.items():
        personal_data.register(f"customers.{name}", PersonalData(export=export, erase=erase))
