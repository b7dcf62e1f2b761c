"""Portraits as texts read them: plain values by the customer's id."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from notifyhub.customers.models import CustomerTrait
from notifyhub.customers.services.traits.catalogue import TRAITS


def trait_values(*, ids: Iterable[int], now: datetime | None = None) -> dict[int, dict[str, Any]]:
    """Return {customer: {trait: value}} by one query; what is not known is left out.

    Money is text with two digits, dates are like 2026-11-20, choices are their codes, so that a text can
    compare them.
    """
    now = now or timezone.now()
    rows = CustomerTrait.objects.filter(pk__in=list(ids))
    return {row.pk: _values(row, now) for row in rows}


def _values(row: CustomerTrait, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"currency": row.currency} if row.currency else {}
    for name, trait in TRAITS.items():
        value = getattr(row, trait.column or name)
        if name == "days_since_order" and value is not None:
            value = (now - value).days
        elif isinstance(value, datetime):
            value = timezone.localtime(value).strftime("%Y-%m-%d")
        elif isinstance(value, Decimal):
            value = str(value)
        if value not in (None, ""):
            values[name] = value
    return values


def sample_values() -> dict[str, Any]:
    """Return an example of each trait, for an invented customer."""
    return {"currency": "CNY", **{name: trait.example for name, trait in TRAITS.items()}}
