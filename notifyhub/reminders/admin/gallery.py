"""The ready-made examples, each a click away from being a draft."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Refused
from notifyhub.reminders.examples import EXAMPLES, Line, make_rule
from notifyhub.reminders.models import ReminderRule, ReminderStep
from notifyhub.reminders.words.steps import chain_words


def _line(line: Line) -> str:
    step = ReminderStep(amount=line.amount, unit=line.unit, side=line.side, at_time=line.at)
    return f"{step}, {chain_words(line.channels())}"


class Gallery(PageMixin):
    """All examples with what they send."""

    permission_required = "reminders.view_reminderrule"

    def get(self, request: HttpRequest) -> HttpResponse:
        made: dict[str, int] = {}
        for key in ReminderRule.objects.exclude(example="").values_list("example", flat=True):
            made[key] = made.get(key, 0) + 1
        examples = [
            {
                "key": key,
                "example": one,
                "lines": [_line(line) for line in one.lines],
                "made": made.get(key, 0),
            }
            for key, one in EXAMPLES.items()
        ]
        context = self.get_context_data(
            title=_("Examples"),
            crumbs=[
                (_("Reminder rules"), reverse("admin:reminders_reminderrule_changelist")),
                (_("Examples"), ""),
            ],
            examples=examples,
            may_add=request.user.has_perm("reminders.add_reminderrule"),
        )
        return render(request, "reminders/gallery.html", context)


class MakeExample(PageMixin):
    """Makes a draft of one example by POST."""

    permission_required = "reminders.add_reminderrule"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        if key not in EXAMPLES:
            raise Http404
        user: Any = request.user
        try:
            rule = make_rule(key=key, user=user)
        except Refused as refusal:
            messages.error(request, str(refusal))
            return redirect("admin:reminders_reminderrule_examples")
        messages.success(
            request, _("A draft with its texts. Look it over, publish the texts, then activate it.")
        )
        return redirect("admin:reminders_reminderrule_change", rule.pk)
