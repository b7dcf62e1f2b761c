"""The examples themselves, as data: what each starts from, sends and ends by."""

from dataclasses import dataclass, field
from datetime import time
from typing import Any

from django.utils.translation import gettext_lazy as _

HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class Line:
    """One step: how far from the date, by which channels, with which of the texts."""

    text: str
    amount: int
    unit: str = "days"
    side: str = "before"
    at: time = time(10, 0)
    chain: tuple[tuple[str, int, str], ...] = (("push", 0, ""),)  # channel, wait in seconds, until

    def channels(self) -> list[dict[str, Any]]:
        """Return the chain as messaging takes it."""
        return [
            {"channel": channel, "wait": wait, "until": until} if wait else {"channel": channel}
            for channel, wait, until in self.chain
        ]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A rule to begin with. `data` are fields of a RuleSpec; stops not given are the suggested ones."""

    name: Any
    what: Any
    icon: str
    data: dict[str, Any]
    lines: tuple[Line, ...]
    needs: Any = ""
    night: tuple[time, time] | None = field(default=(time(9), time(21)))


_PUSH = (("push", 0, ""),)
_SMS = (("sms", 0, ""),)
_PUSH_SMS = (("push", 2 * HOUR, "read"), ("sms", 0, ""))

EXAMPLES: dict[str, Example] = {
    "bill-due": Example(
        name=_("Bill due"),
        what=_("Three days before by push, one day before and one day after by SMS; on working days only."),
        icon="receipt_long",
        data={
            "start": "order",
            "date_field": "due_at",
            "working_days": True,
            "off_day": "before",
            "grace_hours": 12,
            "subject_gap_hours": 20,
            "subject_max": 5,
        },
        lines=(
            Line(text="bill-before", amount=3),
            Line(text="bill-before", amount=1, chain=_SMS),
            Line(text="bill-after", amount=1, side="after", chain=_SMS),
        ),
    ),
    "unpaid-order": Example(
        name=_("Unpaid order"),
        what=_("Ten and thirty minutes after an order is placed and not paid."),
        icon="hourglass_top",
        data={"start": "event", "event_name": "order_placed", "grace_hours": 1, "goal_days": 1},
        lines=(
            Line(text="unpaid-order", amount=10, unit="minutes", side="after"),
            Line(text="unpaid-order", amount=30, unit="minutes", side="after", chain=_SMS),
        ),
        needs=_("Needs the event order_placed."),
        night=None,
    ),
    "booking-tomorrow": Example(
        name=_("Booking tomorrow"),
        what=_(
            "The evening before check-in or departure; a moved booking moves it, a cancelled one cancels it."
        ),
        icon="luggage",
        data={"start": "order", "date_field": "starts_at", "lines": ["hotel", "travel"]},
        lines=(Line(text="booking-tomorrow", amount=1, at=time(18), chain=_PUSH_SMS),),
    ),
    "cart-recall": Example(
        name=_("Cart recall"),
        what=_("An hour after a cart is left, and once more the next day; ends with the order."),
        icon="shopping_cart",
        data={
            "start": "event",
            "event_name": "cart_abandoned",
            "subject_property": "cart_id",
            "stop_events": ["order_placed"],
            "stop_matching": "customer",
            "goal_events": ["order_placed"],
            "goal_days": 3,
            "max_per_customer": 2,
            "max_days": 7,
            "holdout": 10,
        },
        lines=(
            Line(text="cart-recall", amount=1, unit="hours", side="after"),
            Line(text="cart-recall", amount=1, side="after", at=time(11)),
        ),
        needs=_("Needs the event cart_abandoned, and customers who opted in."),
    ),
    "membership-ending": Example(
        name=_("Membership ending"),
        what=_("Thirty, seven and one day before the date in the profile; ends with the renewal."),
        icon="card_membership",
        data={
            "start": "customer",
            "date_field": "membership_ends",
            "stop_events": ["membership_renewed"],
            "goal_events": ["membership_renewed"],
            "goal_days": 30,
        },
        lines=(
            Line(text="membership-ends", amount=30),
            Line(text="membership-ends", amount=7),
            Line(text="membership-ends", amount=1, chain=_PUSH_SMS),
        ),
        needs=_("Needs the date membership_ends in the profile."),
    ),
    "coupon-ending": Example(
        name=_("Coupon ending"),
        what=_("Three days and one day before a coupon ends, unless it is used."),
        icon="local_activity",
        data={
            "start": "event",
            "event_name": "coupon_issued",
            "date_field": "expires_at",
            "subject_property": "coupon_code",
            "stop_events": ["coupon_redeemed"],
            "goal_events": ["coupon_redeemed"],
            "max_per_customer": 3,
            "max_days": 7,
        },
        lines=(Line(text="coupon-ends", amount=3), Line(text="coupon-ends", amount=1)),
        needs=_("Needs the event coupon_issued with expires_at and coupon_code."),
    ),
    "birthday": Example(
        name=_("Birthday"),
        what=_("On the day, every year, at nine in the morning where the customer lives."),
        icon="cake",
        data={"start": "customer", "date_field": "birthday", "yearly": True},
        lines=(Line(text="birthday", amount=0, at=time(9)),),
        needs=_("Needs the date birthday in the profile."),
    ),
    "review-request": Example(
        name=_("Review request"),
        what=_("The day after it was delivered or completed, unless there is a complaint or a review."),
        icon="rate_review",
        data={
            "start": "order",
            "date_field": "fulfilled_at",
            "stop_states": ["refund_asked", "refunded", "disputed", "cancelled"],
            "stop_held": True,
            "stop_events": ["review_written", "case_opened"],
            "goal_events": ["review_written"],
            "max_per_customer": 2,
            "max_days": 30,
        },
        lines=(Line(text="review-request", amount=1, side="after", at=time(15)),),
    ),
    "win-back": Example(
        name=_("Win-back"),
        what=_("Sixty and ninety days after the last order was completed; ends with the next one."),
        icon="waving_hand",
        data={
            "start": "event",
            "event_name": "order_completed",
            "again": "restart",
            "stop_events": ["order_placed"],
            "stop_matching": "customer",
            "goal_events": ["order_placed"],
            "goal_days": 14,
            "holdout": 10,
            "max_per_customer": 2,
            "max_days": 90,
        },
        lines=(
            Line(text="win-back", amount=60, side="after"),
            Line(text="win-back", amount=90, side="after", chain=_PUSH_SMS),
        ),
        needs=_("Needs the event order_completed, and customers who opted in."),
    ),
    "late-order": Example(
        name=_("Order later than promised"),
        what=_("An apology ten minutes after the promised time has passed and nothing has arrived."),
        icon="schedule",
        data={
            "start": "order",
            "date_field": "promised_at",
            "lines": ["food"],
            "grace_hours": 1,
            "urgent": True,
            "priority": 0,
        },
        lines=(Line(text="late-order", amount=10, unit="minutes", side="after"),),
        night=None,
    ),
    "travel-exception": Example(
        name=_("Flight or parcel exception"),
        what=_("At once when a flight or parcel changes; the newest news replaces what has not gone yet."),
        icon="flight",
        data={
            "start": "event",
            "event_name": "travel_exception",
            "newer_cancels": True,
            "grace_hours": 2,
            "urgent": True,
            "priority": 0,
        },
        lines=(
            Line(
                text="travel-exception",
                amount=0,
                unit="minutes",
                side="after",
                chain=(("push", 15 * 60, "read"), ("sms", 0, "")),
            ),
        ),
        needs=_("Needs the event travel_exception with what, status and advice."),
        night=None,
    ),
}
