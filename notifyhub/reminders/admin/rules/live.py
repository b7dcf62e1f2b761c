"""The parts beside the form, from what is typed and not yet saved: words, calendar, trial, text preview.

All by POST with the form's entries, none writes anything.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer
from notifyhub.customers.services.search import find_customers
from notifyhub.messaging.models import Content, Template, TemplateVersion
from notifyhub.messaging.services.previews import preview_content, sample_customer
from notifyhub.reminders.admin.calendar import month_of
from notifyhub.reminders.admin.rules.page import RuleBase, rule_of, side_context
from notifyhub.reminders.admin.rules.typed import Typed
from notifyhub.reminders.models import ReminderRule, ReminderStep, RuleVersion
from notifyhub.reminders.services import dryrun, rules
from notifyhub.reminders.words.steps import channel_label

CHOICES = 8
State = TemplateVersion.State


def first_problem(typed: Typed) -> str:
    """Return the first thing that keeps the page from being saved, "" for none."""
    for form in (typed.form, *(row for rows in typed.sets.values() for row in rows.forms)):
        for name, errors in form.errors.items():
            label = form.fields[name].label if name in form.fields else ""
            return f"{label}: {errors[0]}" if label else str(errors[0])
    for rows in typed.sets.values():
        for error in rows.non_form_errors():
            return str(error)
    return ""


class LivePart(RuleBase):
    """A part of the page that answers to what is typed."""

    http_method_names = ["post"]

    def draft(self, rule: ReminderRule | None) -> tuple[RuleVersion, list[ReminderStep]]:
        """Return the version and steps that saving would make. Raises Refused as saving would.

        Whoever may only read has a form that posts nothing: then it is the rule as saved.
        """
        if rule is not None and rule.live is not None and "step-TOTAL_FORMS" not in self.request.POST:
            rule.live.rule = rule
            return rule.live, list(rule.live.steps.all())
        typed = Typed.posted(self.request.POST)
        problem = first_problem(typed)
        if problem:
            raise Refused(problem)
        spec, steps = typed.spec()
        return rules.draft_version(data=spec, steps=steps, rule=rule)


class WordsPart(LivePart):
    """The rule in words, and what it lacks."""

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        rule = rule_of(pk)
        typed = Typed.posted(request.POST)
        problem = first_problem(typed)
        if not problem:
            spec, steps = typed.spec()
            try:
                rules.draft_version(data=spec, steps=steps, rule=rule)
            except Refused as refusal:
                problem = str(refusal)
        return render(
            request, "reminders/rule/words.html", {"rule": rule, "problem": problem, **side_context(typed)}
        )


class CalendarPart(LivePart):
    """The next 30 days of the rule as typed."""

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        rule = rule_of(pk)
        try:
            version, steps = self.draft(rule)
            days = dryrun.forecast_days(version, steps=steps)
        except Refused as refusal:
            return render(request, "reminders/calendar.html", {"problem": str(refusal)})
        named = {step.number: str(step) for step in steps}
        month = month_of([(day, named.get(number, "—"), count) for day, number, count in days])
        context = {**month, "estimated": dryrun.is_estimated(version)}
        return render(request, "reminders/calendar.html", context)


class TryPart(LivePart):
    """What the rule as typed would do for one customer: posted, so that no number lands in a URL or a log."""

    permission_required = ("reminders.view_reminderrule", "customers.view_customer")

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        rule = rule_of(pk)
        term, chosen = request.POST.get("q", ""), request.POST.get("customer", "")
        if chosen.isdecimal() and len(chosen) < 19:
            found = list(Customer.objects.filter(pk=int(chosen), state=Customer.State.ACTIVE))
        else:
            found = find_customers(text=term, limit=CHOICES + 1)
            # A whole customer number means one person, whoever's name begins with it.
            found = [one for one in found if one.external_id == term.strip()] or found
        context: dict[str, Any] = {"rule": rule, "term": term.strip(), "found": found[:CHOICES]}
        context["more"] = len(found) > CHOICES
        if len(found) == 1:
            context["customer"] = found[0]
            try:
                version, steps = self.draft(rule)
                context["outcomes"] = dryrun.try_version(version, found[0], steps=steps)
            except Refused as refusal:
                context["problem"] = str(refusal)
        return render(request, "reminders/rule/tried.html", context)


class TextPart(LivePart):
    """The text of one step as its channels show it, with invented values for what only a real one knows."""

    permission_required = ("reminders.view_reminderrule", "messaging.view_template")

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        place = request.POST.get("place", "")
        prefix = f"step-{place}" if place.isdecimal() and len(place) < 4 else "step-0"
        wanted = request.POST.get(f"{prefix}-template", "")
        channels = [request.POST.get(f"{prefix}-channel_{n}", "") for n in (1, 2, 3, 4)]
        template = (
            Template.objects.filter(pk=int(wanted)).first()
            if wanted.isdecimal() and len(wanted) < 19
            else None
        )
        context: dict[str, Any] = {"template": template, "frames": []}
        if template is not None:
            version = (
                template.versions.filter(state__in=[State.PUBLISHED, State.DRAFT]).order_by("state").last()
            )
            context["published"] = version is not None and version.state == State.PUBLISHED
            context["frames"] = [_frame(template, version, one) for one in channels if one]
        return render(request, "reminders/rule/text.html", context)


def _frame(template: Template, version: TemplateVersion | None, channel: str) -> dict[str, Any]:
    texts = {one.language: one for one in version.contents.filter(channel=channel)} if version else {}
    content: Content | None = texts.get(get_language() or "") or next(iter(texts.values()), None)
    if content is None:
        return {
            "channel": channel,
            "label": channel_label(channel),
            "why": _("No text for this channel yet."),
        }
    preview = preview_content(content=content, template=template, customer=sample_customer())
    return {
        "channel": channel,
        "label": channel_label(channel),
        "rendered": preview.rendered,
        "identity": preview.identity,
        "why": preview.error,
        "languages": sorted(texts),
    }
