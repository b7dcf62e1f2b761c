"""How messages are shown on any page: state chips and channel icons."""

import re
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from notifyhub.core.templatetags.nh import chip
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.looks import CHANNEL_ICONS, DISPATCH_TONES, STATE_TONES
from notifyhub.messaging.models import Delivery, Dispatch

register = template.Library()

_CLICK = re.compile(r"https?://[^\s<>\"'/]+(/c/[\w-]{16})(?![\w-])")

STATE_ICONS = {
    Delivery.State.UNKNOWN: "help",
    Delivery.State.FAILED: "error",
    Delivery.State.BOUNCED: "undo",
    Delivery.State.DELIVERED: "check",
}


@register.simple_tag
def state_chip(state: int) -> SafeString:
    """Return the chip of a message's state."""
    one = Delivery.State(state)
    return chip(one.label, STATE_TONES[one], STATE_ICONS.get(one, ""))


@register.simple_tag
def dispatch_chip(state: str) -> SafeString:
    """Return the chip of a dispatch's state."""
    one = Dispatch.State(state)
    return chip(one.label, DISPATCH_TONES[one])


@register.simple_tag
def channel_icon(channel: str) -> SafeString:
    """Return the symbol of a channel, named for screen readers."""
    if channel not in Channel.values:
        return format_html("{}", channel)
    one = Channel(channel)
    return format_html(
        '<span class="material-symbols-outlined nh-icon" role="img" aria-label="{}" title="{}">{}</span>',
        one.label,
        one.label,
        CHANNEL_ICONS[one],
    )


@register.filter
def bare_url(url: str) -> str:
    """Return where an address leads, without its scheme and its query."""
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path.rstrip('/')}"


@register.filter
def with_clicks(text: str) -> SafeString:
    """Return the text with those of its links that count clicks to be clicked, each in a new tab."""
    out: list[Any] = []
    at = 0
    for match in _CLICK.finditer(text or ""):
        # Our own address, whatever name the house had when the text was sent.
        link = format_html('<a href="{}" target="_blank" rel="noopener">{}</a>', match[1], match[0])
        out += [text[at : match.start()], link]
        at = match.end()
    return format_html_join("", "{}", ((piece,) for piece in [*out, (text or "")[at:]]))


@register.simple_tag(takes_context=True)
def newest_query(context: dict[str, Any]) -> str:
    """Return the address's filters without its place."""
    query = context["request"].GET.copy()
    query.pop("after", None)
    return query.urlencode()
