"""The consent card: topic by channel, with the sign a marketer needs and the reason behind it."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from notifyhub.core.templatetags.nh import day
from notifyhub.customers.models import (
    CONTACT_KIND,
    Channel,
    Consent,
    ContactPoint,
    Customer,
    Decision,
    MessageClass,
    Suppression,
    Topic,
)

ICONS = {
    Channel.PUSH: "smartphone",
    Channel.SMS: "sms",
    Channel.WECHAT: "chat",
    Channel.EMAIL: "mail",
    Channel.WECOM: "forum",
    Channel.DINGTALK: "groups",
    Channel.INBOX: "inbox",
}
ALWAYS = (Channel.PUSH, Channel.SMS, Channel.WECHAT, Channel.EMAIL)
YES, NO, SUPPRESSED, NONE = "yes", "no", "suppressed", "none"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A sign (yes, no, suppressed, none) and the words for it."""

    sign: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Columns of (channel, label, icon) and rows of (topic, cells)."""

    columns: list[tuple[str, Any, str]]
    rows: list[tuple[Topic, list[Cell]]]


def consent_matrix(customer: Customer, contacts: list[ContactPoint]) -> Matrix:
    """Return the matrix of one customer, from three queries."""
    words = {(row.topic_id, row.channel): row for row in Consent.objects.filter(customer=customer)}
    primary = {point.kind: point for point in contacts if point.primary}
    barred = _barred(list(primary.values()))
    used = {channel for _topic, channel in words} | {
        channel for channel, kind in CONTACT_KIND.items() if kind in primary
    }
    shown = [channel for channel in ICONS if channel in ALWAYS or channel in used]
    return Matrix(
        columns=[(channel, channel.label, ICONS[channel]) for channel in shown],
        rows=[
            (topic, [_cell(topic, channel, words, primary, barred) for channel in shown])
            for topic in Topic.objects.filter(active=True)
        ],
    )


def _barred(points: list[ContactPoint]) -> dict[str, list[Suppression]]:
    by_hash = {(point.kind, bytes(point.value_hash)): point.kind for point in points}
    rows = Suppression.objects.in_force().filter(value_hash__in=[value for _kind, value in by_hash])
    barred: dict[str, list[Suppression]] = {}
    for row in rows:
        if (row.kind, bytes(row.value_hash)) in by_hash:
            barred.setdefault(row.kind, []).append(row)
    return barred


def _cell(topic: Topic, channel: Channel, words: Any, primary: Any, barred: Any) -> Cell:
    promotional = topic.message_class == MessageClass.PROMOTIONAL
    kind = CONTACT_KIND[channel]
    for row in barred.get(kind, []):
        if row.scope == Suppression.Scope.ALL or promotional:
            return Cell(sign=SUPPRESSED, why=_("Suppressed: %s") % row.get_reason_display())
    word = words.get((topic.pk, channel))
    if word and word.decision == Decision.OPT_OUT:
        return Cell(sign=NO, why=_("Opted out on %s") % day(word.given_at))
    if kind and kind not in primary:
        return Cell(sign=NONE, why=_("No contact point for this channel"))
    if kind and not primary[kind].valid:
        return Cell(sign=NONE, why=primary[kind].get_invalid_reason_display())
    if promotional and word is None:
        return Cell(sign=NO, why=_("Never opted in"))
    return Cell(sign=YES, why=_("May write"))
