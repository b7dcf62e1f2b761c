"""Ready-made rules, in the reader's language, to start from."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models import WatchRule
from notifyhub.staff import roles

Kind = WatchRule.Kind
_COMMON: dict[str, Any] = {
    "second": [],
    "unless": [],
    "scope": "order",
    "properties": [],
    "count": 2,
    "holds": False,
    "hold_hours": None,
    "tell_team": None,
    "tell_role": roles.SERVICE_LEAD,
    "owner_team": None,
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "charged_twice": {
        **_COMMON,
        "name": _("Same order charged twice"),
        "kind": Kind.TWICE,
        "first": ["order_paid"],
        "minutes": 24 * 60,
        "holds": True,
        "hold_hours": 48,
    },
    "bill_after_refund": {
        **_COMMON,
        "name": _("Bill due after a refund was asked"),
        "kind": Kind.AFTER,
        "first": ["refund_requested"],
        "second": ["bill_issued", "order_paid"],
        "unless": ["refund_withdrawn"],
        "minutes": 7 * 24 * 60,
        "holds": True,
        "hold_hours": 72,
    },
    "failures_at_merchant": {
        **_COMMON,
        "name": _("Five failures at one merchant in ten minutes"),
        "kind": Kind.BURST,
        "first": ["payment_failed"],
        "properties": ["merchant"],
        "count": 5,
        "minutes": 10,
        "tell_role": roles.OPERATIONS,
    },
    "paid_not_confirmed": {
        **_COMMON,
        "name": _("Paid but not confirmed in 15 minutes"),
        "kind": Kind.MISSING,
        "first": ["booking_paid"],
        "second": ["booking_confirmed"],
        "unless": ["booking_cancelled"],
        "minutes": 15,
    },
}


def example(code: str) -> dict[str, Any] | None:
    """Return the fields of an example in the reader's language, None if there is none of this code."""
    found = EXAMPLES.get(code)
    return {**found, "name": str(found["name"])} if found else None
