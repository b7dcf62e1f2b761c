"""Words and small charts of the customers app for templates."""

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from notifyhub.core.templatetags.nh import number
from notifyhub.customers.words import attribute_words, event_words

register = template.Library()
register.filter("attribute_words", attribute_words)
register.filter("event_words", event_words)

STEP, HEIGHT = 10, 36


@register.simple_tag
def bars(values: Sequence[Any], labels: Sequence[Any], title: Any, best: Any = None) -> SafeString:
    """Return columns for `values` as SVG, each named by its label; the one at `best` stands out."""
    most = float(max(values, default=0)) or 1.0
    columns = []
    for place, value in enumerate(values):
        height = max(HEIGHT * float(value) / most, 1.5 if value else 0.6)
        tone = "best" if place == best else "some" if value else "none"
        top = f"{HEIGHT - height:.1f}"
        words = f"{labels[place]}: {number(value)}"
        columns.append((place * STEP, HEIGHT, tone, place * STEP + 1, top, STEP - 2, f"{height:.1f}", words))
    # The clear column behind each bar takes the pointer, so that low bars have a name too.
    drawn = format_html_join(
        "",
        '<g><rect class="nh-bars-back" x="{}" y="0" width="10" height="{}"/>'
        '<rect class="nh-bars-{}" x="{}" y="{}" width="{}" height="{}" rx="1"/><title>{}</title></g>',
        columns,
    )
    return format_html(
        '<svg class="nh-bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}'
        "</svg>",
        len(values) * STEP,
        HEIGHT,
        title,
        drawn,
    )
