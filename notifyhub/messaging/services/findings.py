"""The numbers behind a gate's answer: what an event keeps as "name=value …", in words for people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from django.utils.html import strip_tags
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifyhub.core.templatetags.nh import fact_time
from notifyhub.customers.models import Customer
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.engine.asks import stamp
from notifyhub.messaging.engine.quiet import QUIET, zone_of
from notifyhub.messaging.models import Delivery, DeliveryEvent

Reason = Delivery.Reason
Kind = DeliveryEvent.Kind

# What no provider said, but our side of the line saw.
ANSWERS = {
    "connect": gettext_lazy("No connection to the provider"),
    "no_reply": gettext_lazy("The provider took it and said nothing"),
    "protocol": gettext_lazy("The provider's answer makes no sense"),
    "malformed": gettext_lazy("The provider's answer makes no sense"),
    "timeout": gettext_lazy("The provider did not answer in time"),
    "no_template": gettext_lazy("The vendor has no template for it"),
}


def finding_words(*, code: str, detail: str, message_class: str) -> str:
    """Return what was found as part of a sentence; "" if the event tells of no limit or cannot be read."""
    values = dict(part.split("=", 1) for part in detail.split(" ") if "=" in part)
    try:
        if code == QUIET:
            return _quiet(values)
        if code in (Reason.CAP_DAY, Reason.CAP_WEEK, Reason.SUBJECT_MAX):
            return _counted(code, values, message_class)
        if code in (Reason.SUBJECT_GAP, Reason.DUPLICATE):
            return _gap(code, values)
    except (KeyError, ValueError):
        # Older events kept other words.
        return ""
    return ""


def morning_words(delivery: Delivery) -> str:
    """Return the same for a message that was planned into its customer's morning from the start."""
    zone = Customer.objects.filter(pk=delivery.customer_id).values_list("time_zone", flat=True).first()
    return _quiet({"until": stamp(delivery.send_at), "zone": zone or "-"})


def detour_words(events: Sequence[DeliveryEvent], names: Mapping[int, str]) -> str:
    """Return which accounts did not take a message before the one that did, as a sentence; "" for none."""
    taken = next((one.account_id for one in events if one.kind == Kind.SENT), None) or 0
    refused = [one.account_id or 0 for one in events if one.kind == Kind.RETRY]
    before = [names[number] for number in dict.fromkeys(refused) if number != taken and number in names]
    if taken not in names or not before:
        return ""
    return _("It went through %(taken)s, since %(before)s did not take it.") % {
        "taken": names[taken],
        "before": ", ".join(before),
    }


def answer_words(event: DeliveryEvent) -> str:
    """Return what an event's code and detail say, for people first: what no provider said has no code."""
    if event.kind == Kind.SETTLED:
        told = _("It was handed over") if event.code == "sent" else _("It was not sent")
        return _("%(what)s: %(why)s") % {"what": told, "why": event.detail}
    words = ANSWERS.get(event.code)
    if words is None:
        return f"{event.code} {event.detail}".strip()
    return f"{words} ({event.detail})" if event.detail else str(words)


def _counted(code: str, values: dict[str, str], message_class: str) -> str:
    used, limit = int(values["used"]), int(values["limit"])
    kind = MessageClass(message_class).label.lower() if message_class in MessageClass.values else ""
    facts = {"used": used, "limit": limit, "class": kind, "days": values.get("days", "")}
    if code == Reason.SUBJECT_MAX:
        said = ngettext(
            "%(used)d message about this subject in %(days)s days, the limit is %(limit)d",
            "%(used)d messages about this subject in %(days)s days, the limit is %(limit)d",
            used,
        )
        return said % facts
    if code == Reason.CAP_DAY:
        said = ngettext(
            "%(used)d %(class)s message that day, the limit is %(limit)d",
            "%(used)d %(class)s messages that day, the limit is %(limit)d",
            used,
        )
    else:
        said = ngettext(
            "%(used)d %(class)s message in %(days)s days, the limit is %(limit)d",
            "%(used)d %(class)s messages in %(days)s days, the limit is %(limit)d",
            used,
        )
    channel = values.get("channel", "")
    if channel in Channel.values:
        return _("%(found)s (%(channel)s)") % {"found": said % facts, "channel": Channel(channel).label}
    return said % facts


def _gap(code: str, values: dict[str, str]) -> str:
    last = strip_tags(str(fact_time(_moment(values["last"]))))
    hours = int(values["hours"])
    if code == Reason.DUPLICATE:
        said = ngettext(
            "the same text went to them at %(last)s; it may go again after %(hours)d hour",
            "the same text went to them at %(last)s; it may go again after %(hours)d hours",
            hours,
        )
    else:
        said = ngettext(
            "the last about this subject was at %(last)s; there must be %(hours)d hour between two",
            "the last about this subject was at %(last)s; there must be %(hours)d hours between two",
            hours,
        )
    return said % {"last": last, "hours": hours}


def _quiet(values: dict[str, str]) -> str:
    name = values.get("zone", "").strip("-")
    until = _moment(values["until"]).astimezone(zone_of(name))
    zone = str(zone_of(name))
    return _("it waits for the end of quiet hours, until %(at)s (%(zone)s)") % {
        "at": f"{until:%Y-%m-%d %H:%M}",
        "zone": zone,
    }


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
