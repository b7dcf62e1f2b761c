"""What the rule's page posts."""

from typing import Any

from notifyhub.messaging.models import Template

STEP = {"number": "", "amount": "3", "unit": "days", "side": "before", "at_time": "10:00", "channel_1": "sms"}


def entries(*steps: dict[str, Any], filters: Any = (), skips: Any = (), **fields: Any) -> dict[str, Any]:
    """Return the entries of the page: a bill with its stops unless told otherwise."""
    data: dict[str, Any] = {
        "act": "save",
        "name": "Bill due",
        "start": "order",
        "order_date": "due_at",
        "stop_states": ["paid", "completed", "cancelled", "refund_asked", "refunded", "disputed"],
        "stop_paid": "on",
        "stop_held": "on",
        "stop_events": "arrangement_agreed",
        "goal_paid": "on",
        "grace_hours": "12",
        "goal_days": "7",
        "max_days": "30",
        "priority": "1",
        "off_day": "after",
        "send_from": "09:00",
        "send_until": "21:00",
        "was": "order|due_at|",
        **fields,
    }
    for prefix, rows in (
        ("step", [{**STEP, **step} for step in steps]),
        ("filter", filters),
        ("skip", skips),
    ):
        data[f"{prefix}-TOTAL_FORMS"] = data.get(f"{prefix}-TOTAL_FORMS", str(len(rows)))
        data[f"{prefix}-INITIAL_FORMS"] = "0"
        for place, row in enumerate(rows):
            data |= {f"{prefix}-{place}-{name}": str(value) for name, value in row.items()}
    return data


def judged(push: Template, sms: Template) -> dict[str, Any]:
    """Return the rule that the house is judged by, as it is typed."""
    return entries(
        {"amount": 3, "channel_1": "push", "template": push.pk},
        {"amount": 1, "template": sms.pk},
        {"amount": 1, "side": "after", "template": sms.pk},
        night="on",
        working_days="on",
    )
