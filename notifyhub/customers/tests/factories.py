"""The least valid customer rows."""

from itertools import count
from typing import Any

from django.utils import timezone

from notifyhub.customers.models import Consent, ConsentRecord, Customer, Topic
from notifyhub.customers.services.customers import create_customer

_numbers = count(1)


def make_customer(*, phone: str | None = "auto", email: str | None = "auto", **fields: Any) -> Customer:
    """Return a customer with a phone and an email of their own unless told otherwise."""
    n = next(_numbers)
    contacts = {
        "phone": f"1380000{n:04d}" if phone == "auto" else phone,
        "email": f"c{n}@mail.example" if email == "auto" else email,
    }
    fields.setdefault("external_id", f"E{n:06d}")
    fields.setdefault("name", f"Customer {n}")
    return create_customer(contacts={kind: raw for kind, raw in contacts.items() if raw}, **fields)


def make_topic(code: str = "food-deals", message_class: str = "promotional", **fields: Any) -> Topic:
    """Return a topic; promotional ones rest on consent."""
    basis = "consent" if message_class == "promotional" else "contract"
    defaults = {
        "name": code.replace("-", " ").capitalize(),
        "message_class": message_class,
        "legal_basis": basis,
    }
    return Topic.objects.get_or_create(code=code, defaults={**defaults, **fields})[0]


def opt_in(customer: Customer, topic: Topic, *channels: str, decision: str = "in") -> None:
    """Record the same decision on each channel."""
    now = timezone.now()
    for channel in channels:
        facts = {
            "customer": customer,
            "topic": topic,
            "channel": channel,
            "decision": decision,
            "given_at": now,
        }
        ConsentRecord.objects.create(**facts, source="test", recorded_by="test")
        Consent.objects.update_or_create(
            customer=customer, topic=topic, channel=channel, defaults={"decision": decision, "given_at": now}
        )
