"""Steps in words."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifyhub.core.templatetags.nh import duration
from notifyhub.customers.models.consent import Channel
from notifyhub.reminders.models import ReminderStep


def step_when(step: Any) -> str:
    """Return when a step goes: 3 days before, at 10:00."""
    names = ("amount", "unit", "side", "at_time")
    return str(ReminderStep(**{name: getattr(step, name) for name in names}))


def channel_label(code: str) -> str:
    """Return a channel's name, or its code if there is none such."""
    return str(Channel(code).label) if code in Channel.values else code


def chain_words(chain: Sequence[dict[str, Any]]) -> str:
    """Return the channels in order: by App push; unless it is read after 2 h, by SMS."""
    words = ""
    for place, one in enumerate(chain):
        label = channel_label(one.get("channel", ""))
        if not place:
            words = _("by %s") % label
            continue
        before = chain[place - 1]
        if before.get("wait"):
            said = {"channel": label, "span": duration(timedelta(seconds=before["wait"]))}
            text = (
                _("; unless read within %(span)s, by %(channel)s")
                if before.get("until") == "read"
                else _("; unless delivered within %(span)s, by %(channel)s")
            )
            words += text % said
        else:
            words += _("; if that cannot be sent, by %s") % label
    return words


def step_words(step: Any) -> str:
    """Return one step as a sentence."""
    words = _("%(when)s, %(chain)s: “%(template)s”") % {
        "when": step_when(step),
        "chain": chain_words(step.chain),
        "template": step.template or _("no text chosen yet"),
    }
    if step.repeat_days:
        again = ngettext("again every day", "again every %(n)d days", step.repeat_days) % {
            "n": step.repeat_days
        }
        words += _(", %(again)s, %(times)d times in all") % {"again": again, "times": step.repeat_max}
    return words + _(".")
