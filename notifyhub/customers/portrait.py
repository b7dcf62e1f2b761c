"""The portrait on a customer's page."""

from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifyhub.core.registry import Panel, customer_panels
from notifyhub.core.templatetags.nh import ago, money, number
from notifyhub.customers.models import Channel, Stage
from notifyhub.customers.services.traits.catalogue import TRAITS, WEEKDAYS
from notifyhub.customers.services.traits.portraying import Portrait, portray

PERMISSION = "customers.view_customer"
TONES = {
    Stage.NEW: ("blue", "eco"),
    Stage.ACTIVE: ("green", "favorite"),
    Stage.COOLING: ("orange", "ac_unit"),
    Stage.ASLEEP: ("grey", "bedtime"),
    Stage.LOST: ("grey", "door_open"),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the portrait: what, how much, and how it is found out."""

    label: Any
    value: Any
    formula: Any
    note: Any = ""
    known: bool = True


def hour_words(hour: int | None) -> str:
    """Return 19:00–20:00."""
    return "" if hour is None else f"{hour:02d}:00–{(hour + 1) % 24:02d}:00"


def _line(name: str, value: Any, note: Any = "", formula: Any = "") -> Line:
    known = value not in (None, "")
    return Line(
        label=TRAITS[name].label,
        value=value if known else _("not known yet"),
        note=note if known else "",
        formula=formula or TRAITS[name].formula,
        known=known,
    )


def _orders(found: Portrait) -> list[Line]:
    row = found.row
    gap = row.order_gap_days
    spend = [money(one, row.currency or "CNY") for one in (row.spend_30, row.spend_90)]
    foreign = (
        ngettext(
            "%d more order in another currency is not added.",
            "%d more orders in other currencies are not added.",
            row.foreign_orders,
        )
        % row.foreign_orders
    )
    return [
        Line(
            label=_("Orders"),
            value=number(row.orders_total),
            note=_("%(month)s in 30 days, %(quarter)s in 90")
            % {"month": number(row.orders_30), "quarter": number(row.orders_90)},
            formula=TRAITS["orders_total"].formula,
        ),
        _line("order_gap_days", f"{gap:g}" if gap is not None else None, _("on average")),
        Line(
            label=_("Spend"),
            value=money(row.spend_total, row.currency or "CNY"),
            note=_("%(month)s in 30 days, %(quarter)s in 90") % {"month": spend[0], "quarter": spend[1]},
            formula=f"{TRAITS['spend_total'].formula} {foreign if row.foreign_orders else ''}".strip(),
        ),
        _line(
            "average_basket",
            money(row.average_basket, row.currency or "CNY") if row.average_basket is not None else None,
        ),
    ]


def _favourites(found: Portrait) -> list[Line]:
    row = found.row
    least = _("From %d orders on.") % found.given.favourite_orders
    place = row.favourite_weekday
    return [
        _line(
            "favourite_line",
            row.get_favourite_line_display(),
            formula=f"{TRAITS['favourite_line'].formula} {least}",
        ),
        _line(
            "favourite_merchant",
            row.favourite_merchant,
            formula=f"{TRAITS['favourite_merchant'].formula} {least}",
        ),
        Line(
            label=_("Usual time"),
            value=" · ".join(
                str(part) for part in (WEEKDAYS.get(place or 0, ""), hour_words(row.favourite_hour)) if part
            )
            or _("not known yet"),
            formula=f"{TRAITS['favourite_hour'].formula} {least}",
            known=bool(place or row.favourite_hour is not None),
        ),
        _line("last_city", row.last_city),
    ]


def _reactions(found: Portrait) -> list[Line]:
    row, given = found.row, found.given
    formula = _("From %(least)d messages read or clicked in the last %(days)d days, by local time.") % {
        "least": given.reaction_minimum,
        "days": given.reaction_days,
    }
    names = dict(Channel.choices)
    parts = ", ".join(f"{names.get(code, code)} {times}" for code, times in found.channels)
    return [
        _line("best_channel", names.get(row.best_channel, ""), parts, formula=formula),
        _line("best_hour", hour_words(row.best_hour), formula=formula),
    ]


def render_portrait(request: Any, customer: Any) -> str:
    """Return the body of the panel; at most five queries."""
    found = portray(customer=customer)
    context: dict[str, Any] = {"found": found}
    if found is not None:
        tone, icon = TONES[Stage(found.row.stage)]
        context |= {
            "tone": tone,
            "icon": icon,
            "stages": Stage.choices,
            "stage_formula": TRAITS["stage"].formula,
            "seen": _line("last_seen", ago(found.row.last_seen_at) if found.row.last_seen_at else ""),
            "groups": [_orders(found), _favourites(found), _reactions(found)],
            "month_names": list(found.months),
            "month_values": list(found.months.values()),
            "hours": [f"{hour:02d}:00" for hour in range(24)],
            "weekday_names": list(WEEKDAYS.values()),
            "may_tune": request.user.has_perm("customers.view_traitsettings"),
        }
    return render_to_string("customers/portrait.html", context, request)


def register() -> None:
    """Hand the panel to the registry."""
    customer_panels.register(
        "portrait",
        Panel(title=gettext_lazy("Portrait"), render=render_portrait, permission=PERMISSION, column="side"),
        order=5,
    )
