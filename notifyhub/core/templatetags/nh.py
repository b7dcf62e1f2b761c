"""The small parts that every page is made of: numbers, dates, chips, bars, icons."""

import json
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django import template
from django.template.defaultfilters import floatformat
from django.utils import timezone, translation
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

register = template.Library()

TONES = ("violet", "green", "orange", "red", "blue", "grey")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _chinese() -> bool:
    return (translation.get_language() or "").startswith("zh")


@register.filter
def number(value: Any) -> str:
    """Return 1,284,306; a dash for what is unknown. Never rounds."""
    if value is None or value == "":
        return "—"
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    return f"{amount:,f}".replace("-", "\N{MINUS SIGN}")


@register.filter
def percent(value: Any, digits: int = 1) -> str:
    """Return 98.4% for 0.984; a dash for what is unknown."""
    return "—" if value is None else f"{float(value) * 100:.{int(digits)}f}%"


@register.filter
def money(value: Any, currency: str = "CNY") -> str:
    """Return ¥ 2,723.04; other currencies by their code."""
    if value is None:
        return "—"
    sign = "¥" if currency == "CNY" else currency
    return f"{sign} {Decimal(str(value)):,.2f}"


def _day(moment: datetime, *, year: bool) -> str:
    if _chinese():
        return f"{moment:%Y-%m-%d}" if year else f"{moment:%m-%d}"
    text = f"{moment.day} {_MONTHS[moment.month - 1]}"
    return f"{text} {moment.year}" if year else text


@register.filter
def when(value: datetime | None) -> str:
    """Return a date as lists show it: 14:32, Yesterday 18:20, 18 Nov 15:30, with the year once it differs."""
    if not value:
        return "—"
    moment, now = timezone.localtime(value), timezone.localtime()
    clock = f"{moment:%H:%M}"
    days = (now.date() - moment.date()).days
    if days == 0:
        return clock
    if days == 1:
        return _("Yesterday") + f" {clock}"
    if days == -1:
        return _("Tomorrow") + f" {clock}"
    return f"{_day(moment, year=moment.year != now.year)} {clock}"


@register.filter
def fact_time(value: datetime | None) -> str | SafeString:
    """Return a date as facts and audits show it, to the second, with the zone on hover."""
    if not value:
        return "—"
    moment = timezone.localtime(value)
    text = (
        f"{_day(moment, year=True)} {moment:%H:%M:%S}"
        if _chinese()
        else f"{_day(moment, year=True)}, {moment:%H:%M:%S}"
    )
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), moment.tzname() or "", text
    )


@register.filter
def day(value: Any) -> str:
    """Return the day alone."""
    if not value:
        return "—"
    moment = timezone.localtime(value) if isinstance(value, datetime) else value
    return _day(moment, year=moment.year != timezone.localdate().year)


@register.filter
def duration(value: Any) -> str:
    """Return a span (timedelta or seconds) in at most two units."""
    if value is None:
        return "—"
    seconds = int(value.total_seconds() if isinstance(value, timedelta) else value)
    seconds = abs(seconds)
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, secs = divmod(rest, 60)
    units = [
        (days, ngettext("%d day", "%d days", days)),
        (hours, _("%d h")),
        (minutes, _("%d min")),
        (secs, _("%d s")),
    ]
    first = next((i for i, (amount, _label) in enumerate(units) if amount), 3)
    shown = [units[first]] + [unit for unit in units[first + 1 : first + 2] if unit[0]]
    return " ".join(label % amount for amount, label in shown)


@register.filter
def span(value: float | None) -> str:
    """Return seconds as a span: tenths below a minute, where they matter, else in at most two units."""
    if value is None or value >= 60:
        return duration(value)
    return _("%s s") % floatformat(value, 1)


@register.filter
def ago(value: datetime | None) -> str:
    """Return how long ago something was: 4 s ago."""
    return "—" if not value else _("%s ago") % duration(timezone.now() - value)


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return one symbol of the theme's icon font; hidden from screen readers, so put a word beside it."""
    return format_html('<span class="material-symbols-outlined nh-icon" aria-hidden="true">{}</span>', name)


@register.simple_tag
def chip(label: Any, tone: str = "grey", icon: str = "") -> SafeString:
    """Return a chip; `tone` is violet, green, orange, red, blue or grey."""
    tone = tone if tone in TONES else "grey"
    symbol = (
        format_html('<span class="material-symbols-outlined nh-icon" aria-hidden="true">{}</span>', icon)
        if icon
        else ""
    )
    return format_html('<span class="nh-chip nh-chip--{}">{}{}</span>', tone, symbol, label)


@register.simple_tag
def bar(done: Any, total: Any, tone: str = "violet", label: Any = "") -> SafeString:
    """Return a progress bar of `done` in `total`."""
    done, total = int(done or 0), int(total or 0)
    share = min(100.0, 100.0 * done / total) if total else 0.0
    return format_html(
        '<div class="nh-bar nh-bar--{}" role="progressbar" aria-valuemin="0" aria-valuemax="{}" '
        'aria-valuenow="{}" aria-label="{}"><span style="width:{}%"></span></div>',
        tone,
        total,
        done,
        label or _("Progress"),
        f"{share:.1f}",
    )


@register.simple_tag
def chart(name: str, spec: Any, height: int = 200) -> SafeString:
    """Return a canvas that console.js draws with Chart.js from `spec` (type, labels, datasets, y_label …)."""
    return format_html(
        '<div class="nh-chart" style="height:{}px">'
        '<canvas data-chart="{}" role="img" aria-label="{}"></canvas></div>{}',
        height,
        name,
        spec.get("title", ""),
        json_script(json.loads(json.dumps(spec, default=str)), name),
    )


@register.simple_tag
def sparkline(values: Any, tone: str = "violet") -> SafeString:
    """Return a small line of `values` as SVG, for the strip of numbers."""
    points = [float(value or 0) for value in values]
    if len(points) < 2:
        return format_html('<svg class="nh-spark" aria-hidden="true"></svg>')
    low, high = min(points), max(points)
    span = (high - low) or 1
    step = 100 / (len(points) - 1)
    path = " ".join(f"{i * step:.1f},{22 - 18 * (p - low) / span:.1f}" for i, p in enumerate(points))
    return format_html(
        '<svg class="nh-spark nh-spark--{}" viewBox="0 0 100 24" preserveAspectRatio="none" '
        'aria-hidden="true">'
        '<polyline points="{}"/></svg>',
        tone,
        path,
    )
