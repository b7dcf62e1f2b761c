"""The few numbers at the head of a customer's page."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Max, Sum
from django.db.models.functions import Coalesce

from notifyhub.customers.models import Order


@dataclass(frozen=True, kw_only=True)
class OrderNumbers:
    """Orders of twelve months, what was paid for them, and the last one ever."""

    count: int
    paid: Decimal
    refunded: Decimal
    last_at: datetime | None


def order_numbers(*, customer_id: int, now: datetime) -> OrderNumbers:
    """Return the numbers of one customer; amounts in CNY only, since sums over currencies mean nothing."""
    rows = Order.objects.filter(customer_id=customer_id).annotate(at=Coalesce("placed_at", "told_at"))
    year = rows.filter(at__gt=now - timedelta(days=365))
    counted = year.aggregate(count=Count("pk"))
    money = year.filter(currency="CNY").aggregate(paid=Sum("amount_paid"), refunded=Sum("amount_refunded"))
    return OrderNumbers(
        count=counted["count"],
        paid=money["paid"] or Decimal(0),
        refunded=money["refunded"] or Decimal(0),
        last_at=rows.aggregate(last=Max("at"))["last"],
    )
