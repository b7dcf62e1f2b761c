"""One due row: what happened or will and why, its occasion, its messages, what comes after it."""

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifyhub.core.admin import PageMixin
from notifyhub.customers.models import Event
from notifyhub.messaging.models import Delivery, DeliveryEvent
from notifyhub.reminders import words
from notifyhub.reminders.models import Reminder
from notifyhub.reminders.services.reports import with_outcomes
from notifyhub.staff.models import CalendarDay

State = Reminder.State
SIBLINGS = 80
TONES = {State.PLANNED: "blue", State.DISPATCHED: "violet", State.STOPPED: "grey", State.SKIPPED: "orange"}


def zone_of(reminder: Reminder) -> ZoneInfo | None:
    """Return the customer's zone, None if there is none such."""
    try:
        return ZoneInfo(reminder.customer.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _holiday(reminder: Reminder) -> str:
    """Return the name of the day off that it was moved from, "" if it was not."""
    wanted, version = reminder.wanted_at, reminder.occasion.rule_version
    if wanted is None or wanted == reminder.due_at or not version.working_days:
        return ""
    day = wanted.astimezone(zone_of(reminder)).date() if zone_of(reminder) else wanted.date()
    days = CalendarDay.objects.filter(day=day, works=False)
    days = (
        days.filter(calendar=version.calendar_id)
        if version.calendar_id
        else days.filter(calendar__default=True)
    )
    found = days.values_list("name", flat=True).first()
    if found is not None:
        # The names that we fill in are kept in English and said in the language of who reads.
        return gettext(found) if found else f"{day}"
    return str(_("weekend")) if day.isoweekday() > 5 else ""


def _history(reminder: Reminder, messages: list[Delivery], holiday: str) -> list[dict[str, Any]]:
    """Return what was written down about it, in order; every line comes from a stored row."""
    occasion = reminder.occasion
    lines: list[tuple[Any, str, str]] = [
        (occasion.started_at, str(_("The occasion began")), "flag"),
        (reminder.created_at, str(_("This reminder was planned")), "event"),
    ]
    if moved := words.moved_words(reminder, holiday):
        # Planning moves it, so it stands with the plan.
        lines.append((reminder.created_at, moved, "event_repeat"))
    lines += _told_of(messages)
    if reminder.settled_at:
        state = str(reminder.get_state_display())
        why = words.why_words(reminder)
        lines.append((reminder.settled_at, f"{state}: {why}" if why else state, "alarm"))
    if occasion.done_at:
        lines.append((occasion.done_at, str(_("Done: what it is for was reached")), "check"))
    if occasion.ended_at and occasion.state != "running":
        lines.append((occasion.ended_at, words.occasion_words(occasion), "stop_circle"))
    return [
        {"at": at, "text": text, "icon": icon} for at, text, icon in sorted(lines, key=lambda line: line[0])
    ]


def _told_of(messages: list[Delivery]) -> list[tuple[Any, str, str]]:
    """Return what happened to the messages of one reminder; they are of one dispatch."""
    if not messages:
        return []
    channels = {one.pk: words.channel_label(one.channel) for one in messages}
    events = DeliveryEvent.objects.filter(
        dispatch_id=messages[0].dispatch_id, delivery_id__in=list(channels)
    ).order_by("at", "id")[:40]
    return [
        (
            event.at,
            " · ".join(
                part for part in (channels[event.delivery_id], event.get_kind_display(), event.detail) if part
            ),
            "forum",
        )
        for event in events
    ]


class ReminderPage(PageMixin):
    """One due row."""

    permission_required = "reminders.view_reminder"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        rows = Reminder.objects.select_related(
            "rule", "customer", "occasion__order", "occasion__rule_version__calendar"
        )
        reminder = get_object_or_404(rows, pk=pk)
        occasion = reminder.occasion
        siblings = occasion.reminders.select_related("customer", "rule").order_by("due_at", "step")[:SIBLINGS]
        lines = with_outcomes(list(siblings))
        steps = {step.number: step for step in occasion.rule_version.steps.select_related("template")}
        for line in lines:
            line["step"] = steps.get(line["reminder"].step)
        messages = list(
            Delivery.objects.filter(dispatch_id=reminder.dispatch_id, dedup_key=reminder.pk).order_by(
                "step", "id"
            )
            if reminder.dispatch_id
            else ()
        )
        coming = [
            line for line in lines if line["reminder"].state == State.PLANNED and line["reminder"].pk != pk
        ]
        zone = zone_of(reminder)
        holiday = _holiday(reminder)
        sentences = words.reminder_words(reminder, messages, holiday=holiday)
        own = next((line for line in lines if line["reminder"].pk == pk), None)
        tone = TONES[State(reminder.state)]
        if own and messages:
            tone = "orange" if own["tone"] == "grey" else own["tone"]
        context = self.get_context_data(
            title=str(reminder.rule),
            crumbs=[
                (_("Due reminders"), reverse("admin:reminders_reminder_changelist")),
                (reminder.subject, ""),
            ],
            reminder=reminder,
            occasion=occasion,
            event=Event.objects.filter(pk=occasion.event_id, customer=occasion.customer_id).first()
            if occasion.event_id
            else None,
            first=sentences[0],
            sentences=sentences[1:],
            standing=words.occasion_words(occasion),
            tone=tone,
            local_due=f"{reminder.due_at.astimezone(zone):%Y-%m-%d %H:%M} · {zone.key}" if zone else "—",
            lines=lines,
            messages_sent=messages,
            history=_history(reminder, messages, holiday),
            after=coming[0] if coming else None,
            step=steps.get(reminder.step),
        )
        return render(request, "reminders/reminder.html", context)
