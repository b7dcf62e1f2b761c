"""A rule and an alert in one plain sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from notifyhub.customers.models import Alert, WatchRule
from notifyhub.customers.services.events.showing import key_words
from notifyhub.customers.words import event_words

Kind = WatchRule.Kind
HOUR, DAY = 60, 1440


def names_in_words(names: Sequence[str]) -> str:
    """Return the events of a list in words."""
    quoted = [f"“{event_words(name)}”" for name in names]
    return _(" or ").join(quoted) or "…"


def _keys_in_words(keys: Sequence[str]) -> str:
    return _(", ").join(key_words(key).lower() for key in keys)


def span_in_words(minutes: int) -> str:
    """Return a number of minutes as people say it."""
    if minutes % DAY == 0:
        return ngettext("%(n)d day", "%(n)d days", minutes // DAY) % {"n": minutes // DAY}
    if minutes % HOUR == 0:
        return ngettext("%(n)d hour", "%(n)d hours", minutes // HOUR) % {"n": minutes // HOUR}
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


def rule_sentence(facts: Mapping[str, Any]) -> str:
    """Return what a rule watches, from its facts."""
    words = {
        "first": names_in_words(facts["first"]),
        "second": names_in_words(facts["second"]),
        "unless": names_in_words(facts["unless"]),
        "span": span_in_words(facts["minutes"]),
        "n": facts["count"],
        "whose": _("the same order") if facts["scope"] == "order" else _("the same customer"),
        "equal": _keys_in_words(facts["properties"]),
    }
    match facts["kind"]:
        case Kind.TWICE if facts["properties"]:
            return _("%(first)s twice within %(span)s for %(whose)s, with the same %(equal)s.") % words
        case Kind.TWICE:
            return _("%(first)s twice within %(span)s for %(whose)s.") % words
        case Kind.AFTER if facts["unless"]:
            return (
                _("%(second)s within %(span)s after %(first)s for %(whose)s, with no %(unless)s in between.")
                % words
            )
        case Kind.AFTER:
            return _("%(second)s within %(span)s after %(first)s for %(whose)s.") % words
        case Kind.BURST:
            return _("%(n)d times %(first)s within %(span)s with the same %(equal)s.") % words
    if facts["unless"]:
        return _("%(first)s without %(second)s or %(unless)s within %(span)s for %(whose)s.") % words
    return _("%(first)s without %(second)s within %(span)s for %(whose)s.") % words


_ALERTS = {
    (Kind.TWICE, "order"): ngettext_lazy(
        "%(first)s came twice for %(n)d order.", "%(first)s came twice for %(n)d orders.", "n"
    ),
    (Kind.TWICE, "customer"): ngettext_lazy(
        "%(first)s came twice for %(n)d customer.", "%(first)s came twice for %(n)d customers.", "n"
    ),
    (Kind.AFTER, "order"): ngettext_lazy(
        "%(second)s came after %(first)s for %(n)d order.",
        "%(second)s came after %(first)s for %(n)d orders.",
        "n",
    ),
    (Kind.AFTER, "customer"): ngettext_lazy(
        "%(second)s came after %(first)s for %(n)d customer.",
        "%(second)s came after %(first)s for %(n)d customers.",
        "n",
    ),
    (Kind.MISSING, "order"): ngettext_lazy(
        "%(first)s was not followed by %(second)s within %(span)s for %(n)d order.",
        "%(first)s was not followed by %(second)s within %(span)s for %(n)d orders.",
        "n",
    ),
    (Kind.MISSING, "customer"): ngettext_lazy(
        "%(first)s was not followed by %(second)s within %(span)s for %(n)d customer.",
        "%(first)s was not followed by %(second)s within %(span)s for %(n)d customers.",
        "n",
    ),
}
_BURST = ngettext_lazy(
    "%(first)s came %(n)d time with %(equal)s “%(group)s”.",
    "%(first)s came %(n)d times with %(equal)s “%(group)s”.",
    "n",
)


def alert_sentence(alert: Alert) -> str:
    """Return what happened, in one sentence."""
    facts = alert.facts
    words = {
        "n": alert.found,
        "first": names_in_words(facts["first"]),
        "second": names_in_words(facts["second"]),
        "span": span_in_words(facts["minutes"]),
        "group": alert.group,
        "equal": _keys_in_words(facts["properties"]),
    }
    pattern = _BURST if facts["kind"] == Kind.BURST else _ALERTS[facts["kind"], facts["scope"]]
    return str(pattern % words)


lazy_sentence = lazy(alert_sentence, str)
