"""The customers among the hits of the search over everything."""

from typing import Any

from django.urls import reverse

from notifyhub.core.registry import SearchHit
from notifyhub.core.registry import search as search_registry
from notifyhub.customers.models import Customer
from notifyhub.customers.services.search import find_customers


def masked_line(customer: Customer) -> str:
    """Return number and masked contacts, as search results show them."""
    points = [p.masked for p in customer.contact_points.all() if p.primary and p.kind in ("phone", "email")]
    return " · ".join([part for part in (customer.external_id, *points, customer.city) if part])


def search_hits(request: Any, term: str) -> list[SearchHit]:
    """Return the customers that the search over everything shows."""
    if not request.user.has_perm("customers.view_customer"):
        return []
    return [
        SearchHit(
            title=str(customer),
            description=masked_line(customer),
            url=reverse("admin:customers_customer_change", args=[customer.pk]),
            icon="person",
        )
        for customer in find_customers(text=term, limit=6)
    ]


def register() -> None:
    """Hand the customers to the search over everything."""
    search_registry.register("customers", search_hits, order=10)
