"""What each part of a portrait means, in words: one list for the portrait, the rules and the texts."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models import Channel, Order, Stage

WEEKDAYS = {
    1: _("Monday"),
    2: _("Tuesday"),
    3: _("Wednesday"),
    4: _("Thursday"),
    5: _("Friday"),
    6: _("Saturday"),
    7: _("Sunday"),
}
LIFE, ORDERS, SPEND = _("Life cycle"), _("Orders"), _("Spend")
FAVOURITES, REACTIONS = _("Favourites"), _("Reactions")
_COUNTED = _("Orders count when they were placed, unless they were cancelled or refunded.")
_MONEY = _(
    "Paid minus refunded, of orders that count, in the currency of most of them; others are not added."
)
_FAVOURITE = _(
    "What most orders of the last 12 months share, in the customer's time zone; of equals the latest."
)
_REACTED = _("By messages read or clicked lately, each counted once, in the customer's time zone.")


@dataclass(frozen=True, kw_only=True)
class Trait:
    """One part of the portrait. `kind` is number, money, hour, date, choice or text; `column` is where it is
    kept if that is not its name; `example` is what the list of variables shows without a customer."""

    label: Any
    kind: str
    group: Any
    formula: Any
    example: Any
    unit: Any = ""
    column: str = ""
    choices: tuple[tuple[Any, Any], ...] = ()


TRAITS: dict[str, Trait] = {
    "stage": Trait(
        label=_("Life-cycle stage"),
        kind="choice",
        group=LIFE,
        choices=tuple(Stage.choices),
        example="active",
        formula=_("By the days since the first and the last order; who never ordered, since we know them."),
    ),
    "last_seen": Trait(
        label=_("Last seen"),
        kind="date",
        group=LIFE,
        column="last_seen_at",
        example="2026-11-20",
        formula=_("The latest order, event of the platform, or message read or clicked."),
    ),
    "last_order": Trait(
        label=_("Last order"),
        kind="date",
        group=LIFE,
        column="last_order_at",
        example="2026-11-18",
        formula=_COUNTED,
    ),
    "days_since_order": Trait(
        label=_("Days since the last order"),
        kind="number",
        group=LIFE,
        unit=_("days"),
        column="last_order_at",
        example=4,
        formula=_("Whole days since the latest order that counts."),
    ),
    "orders_30": Trait(label=_("Orders, 30 days"), kind="number", group=ORDERS, example=3, formula=_COUNTED),
    "orders_90": Trait(label=_("Orders, 90 days"), kind="number", group=ORDERS, example=8, formula=_COUNTED),
    "orders_total": Trait(label=_("Orders, ever"), kind="number", group=ORDERS, example=21, formula=_COUNTED),
    "order_gap_days": Trait(
        label=_("Days between orders"),
        kind="number",
        group=ORDERS,
        unit=_("days"),
        example="11.5",
        formula=_(
            "First to last order of the last 12 months, by the number of steps between; from 2 orders."
        ),
    ),
    "spend_30": Trait(label=_("Spend, 30 days"), kind="money", group=SPEND, example="186.00", formula=_MONEY),
    "spend_90": Trait(label=_("Spend, 90 days"), kind="money", group=SPEND, example="642.50", formula=_MONEY),
    "spend_total": Trait(
        label=_("Spend, ever"), kind="money", group=SPEND, example="2480.00", formula=_MONEY
    ),
    "average_basket": Trait(
        label=_("Average basket"),
        kind="money",
        group=SPEND,
        example="88.60",
        formula=_("The mean of what was paid, of orders that count and were paid, in that currency."),
    ),
    "favourite_line": Trait(
        label=_("Favourite category"),
        kind="choice",
        group=FAVOURITES,
        choices=tuple(Order.Line.choices),
        example="food",
        formula=_FAVOURITE,
    ),
    "favourite_merchant": Trait(
        label=_("Favourite merchant"), kind="text", group=FAVOURITES, example="老城火锅", formula=_FAVOURITE
    ),
    "favourite_hour": Trait(
        label=_("Favourite hour"),
        kind="hour",
        group=FAVOURITES,
        unit=_("o'clock"),
        example=19,
        formula=_FAVOURITE,
    ),
    "favourite_weekday": Trait(
        label=_("Favourite weekday"),
        kind="choice",
        group=FAVOURITES,
        choices=tuple(WEEKDAYS.items()),
        example=5,
        formula=_FAVOURITE,
    ),
    "last_city": Trait(
        label=_("City of the last order"),
        kind="text",
        group=FAVOURITES,
        example="杭州",
        formula=_("The city of the latest order that names one."),
    ),
    "best_channel": Trait(
        label=_("Best channel"),
        kind="choice",
        group=REACTIONS,
        choices=tuple(Channel.choices),
        example="push",
        formula=_REACTED,
    ),
    "best_hour": Trait(
        label=_("Best hour"), kind="hour", group=REACTIONS, unit=_("o'clock"), example=20, formula=_REACTED
    ),
}
