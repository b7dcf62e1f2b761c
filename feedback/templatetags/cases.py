"""How the facts of a case look: state, severity, clock, message state."""

from datetime import date, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from feedback.models import Case, CaseState, Interaction, Metric, SlaClock
from notifyhub.core.templatetags.nh import chip, day, duration, icon
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Delivery

register = template.Library()

STATE_TONES = {
    CaseState.NEW: ("violet", ""),
    CaseState.OPEN: ("blue", ""),
    CaseState.RESOLVED: ("green", "check"),
}
SEVERITY_TONES = {"S1": "filled-red", "S2": "orange"}
SENDING = {
    Interaction.Sending.QUEUED: ("schedule", "grey"),
    Interaction.Sending.SENT: ("check", "blue"),
    Interaction.Sending.DELIVERED: ("done_all", "green"),
    Interaction.Sending.READ: ("done_all", "green"),
    Interaction.Sending.UNKNOWN: ("help", "orange"),
    Interaction.Sending.FAILED: ("error", "red"),
}
SOON = timedelta(minutes=30)


@register.simple_tag
def case_state(case: Case) -> SafeString:
    """Return the state's chip; an open case whose customer waits for an answer says that instead."""
    if case.state == CaseState.OPEN and case.unanswered:
        return chip(_("Customer replied"), "orange")
    tone, symbol = STATE_TONES.get(CaseState(case.state), ("grey", ""))
    return chip(case.get_state_display(), tone, symbol)


@register.simple_tag
def severity(value: str) -> SafeString:
    """Return S1 filled red, S2 orange, the others grey."""
    return format_html(
        '<span class="nh-chip nh-chip--{}">{}</span>', SEVERITY_TONES.get(value, "grey"), value
    )


def clock_face(due: datetime, now: datetime) -> tuple[str, str, str]:
    """Return (tone, symbol, text) of a clock that runs."""
    left = due - now
    if left <= timedelta(0):
        return "red", "error", _("%s late") % duration(_coarse(left))
    tone = "orange" if left <= SOON else "outline"
    return tone, "schedule" if tone == "orange" else "timer", _("%s left") % duration(_coarse(left))


def _coarse(span: timedelta) -> timedelta:
    """Return the span in whole minutes: a list that counts seconds flickers."""
    seconds = int(abs(span.total_seconds()))
    return timedelta(seconds=seconds if seconds < 60 else seconds // 60 * 60)


@register.simple_tag
def case_clock(case: Case) -> SafeString:
    """Return the pill of the clock that is due first: metric, symbol and time, counted down by script."""
    if case.next_due_at is None:
        if case.state == CaseState.WAIT_CUSTOMER:
            return _pill("outline", "pause", _("Paused"), "")
        if case.state in (CaseState.RESOLVED, CaseState.CLOSED):
            return _pill("green", "check_circle", _("Done"), "")
        return _pill("outline", "check_circle", _("No clock"), "")
    tone, symbol, text = clock_face(case.next_due_at, timezone.now())
    return _pill(tone, symbol, Metric(case.next_metric).label, text, case.next_due_at)


def _pill(tone: str, symbol: str, name: Any, text: str, due: datetime | None = None) -> SafeString:
    return format_html(
        '<span class="nh-chip nh-chip--large fb-clock nh-chip--{}"{}>{}'
        "<span>{} <b data-left>{}</b></span></span>",
        tone,
        format_html(' data-due="{}"', due.isoformat()) if due else "",
        icon(symbol),
        name,
        text,
    )


@register.inclusion_tag("feedback/clock.html")
def clock_line(clock: SlaClock) -> dict[str, Any]:
    """Render one clock of the case page: name, time, bar, what was promised."""
    now = timezone.now()
    end = clock.stopped_at or now
    used = (end - clock.started_at).total_seconds()
    if clock.state == SlaClock.State.PAUSED:
        used = float(clock.accrued_seconds)
    share = min(100, round(100 * used / clock.target_seconds))
    late = clock.state == SlaClock.State.BREACHED
    tone, symbol, text = "violet", "timer", ""
    if clock.state == SlaClock.State.PAUSED:
        tone, symbol, text = "grey", "pause", _("Paused")
    elif clock.stopped_at is not None:
        tone, symbol = ("red", "error") if late else ("green", "check_circle")
        text = str(duration(clock.stopped_at - clock.started_at))
    elif clock.due_at is not None:
        face, symbol, text = clock_face(clock.due_at, now)
        tone = "violet" if face == "outline" else face
    return {"clock": clock, "share": share, "tone": tone, "symbol": symbol, "text": text, "late": late}


@register.simple_tag
def message_state(line: Interaction) -> SafeString:
    """Return what became of an outgoing message, with its reason when it failed."""
    if not line.state:
        return SafeString("")
    symbol, tone = SENDING[Interaction.Sending(line.state)]
    reasons = dict(Delivery.Reason.choices)
    reason = f" · {reasons.get(line.state_reason, line.state_reason)}" if line.state_reason else ""
    moment = f" {timezone.localtime(line.state_at):%H:%M}" if line.state_at and line.state != "queued" else ""
    return format_html(
        '<span class="fb-sending nh-tone-{}">{} {}{}{}</span>',
        tone,
        icon(symbol),
        line.get_state_display(),
        moment,
        reason,
    )


@register.filter
def initial(name: Any) -> str:
    """Return the first letter of a name, for the round sign beside it."""
    text = str(name or "").strip()
    return text[:1].upper() or "?"


@register.filter
def day_name(value: date) -> str:
    """Return a day as a divider of the thread: Today, 20 Nov."""
    days = (timezone.localdate() - value).days
    word = {0: _("Today"), 1: _("Yesterday")}.get(days, "")
    return f"{word} {day(value)}".strip()


@register.simple_tag
def ledger_state(line: Any) -> SafeString:
    """Return the state's chip of one message in the ledger."""
    tones = {0: "grey", 10: "orange", 20: "blue", 30: "red", 40: "green", 50: "red"}
    return chip(line.state_label, tones.get(int(line.state), "grey"))


@register.filter
def channel_name(value: str) -> Any:
    """Return the channel in the viewer's words."""
    return Channel(value).label if value in Channel.values else value
