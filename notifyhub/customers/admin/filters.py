"""Filters of the customer list; their choices cost a bounded look, whatever the table's size."""

from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models import ContactPoint, Customer, Hold

MOST = 60

# Jumps from one city to the next along the index instead of reading every customer.
CITIES = """
WITH RECURSIVE walk AS (
    (SELECT city, 1 AS n FROM customers_customer WHERE city > '' ORDER BY city LIMIT 1)
    UNION ALL
    SELECT (SELECT c.city FROM customers_customer c WHERE c.city > walk.city ORDER BY c.city LIMIT 1), n + 1
    FROM walk WHERE walk.city IS NOT NULL AND n < %s
)
SELECT city FROM walk WHERE city IS NOT NULL
"""
# Tags have no order to jump along: those of the newest customers are offered.
TAGS = """
SELECT tag FROM (SELECT unnest(tags) AS tag FROM
    (SELECT tags FROM customers_customer ORDER BY id DESC LIMIT 3000) newest) t
GROUP BY tag ORDER BY count(*) DESC, tag LIMIT %s
"""


def _column(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [MOST])
        return [row[0] for row in cursor.fetchall()]


def known_cities() -> list[str]:
    """Return the first 60 cities of customers."""
    return _column(CITIES)


def known_tags() -> list[str]:
    """Return the 60 most frequent tags of the newest customers."""
    return _column(TAGS)


class TextFilter(admin.SimpleListFilter):
    """A filter whose value may be typed into the address: what PostgreSQL cannot store is left out."""

    def value(self) -> str | None:
        text = super().value()
        return text.replace("\x00", "") if text else text


class CityFilter(TextFilter):
    title = _("city")
    parameter_name = "city"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(city, city) for city in known_cities()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        return queryset.filter(city=self.value()) if self.value() else queryset


class TagFilter(TextFilter):
    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(tag, tag) for tag in known_tags()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        return queryset.filter(tags__contains=[self.value()]) if self.value() else queryset


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("provisional", _("Provisional")),
            ("hold", _("On hold")),
            ("unreachable", _("Unreachable")),
            ("merged", _("Merged")),
            ("erased", _("Erased")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        value = self.value()
        if value in ("merged", "erased"):
            return queryset.exclude(state=Customer.State.ACTIVE).filter(state=value)
        if not value and request.GET.get("found"):
            return queryset
        queryset = queryset.filter(state=Customer.State.ACTIVE)
        if value == "provisional":
            return queryset.filter(provisional=True)
        if value == "hold":
            return queryset.filter(pk__in=Hold.objects.in_force(timezone.now()).values("customer_id"))
        if value == "unreachable":
            points = ContactPoint.objects.filter(valid=False, primary=True)
            return queryset.filter(pk__in=points.values("customer_id"))
        return queryset


class FoundFilter(admin.SimpleListFilter):
    """The result of a search: the ids lie in the session, the address holds only a token for them."""

    title = _("search")
    parameter_name = "found"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        token = request.GET.get("found")
        return [(token, _t("Found by search"))] if token else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Customer]) -> QuerySet[Customer]:
        if not self.value():
            return queryset
        return queryset.filter(pk__in=request.session.get("customer_search", {}).get(self.value(), []))
