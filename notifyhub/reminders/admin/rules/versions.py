"""The versions of a rule: which is in force, what runs on which, and what each changed, in words."""

from typing import Any

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from notifyhub.reminders import words
from notifyhub.reminders.admin.rules.page import RuleBase, rule_of
from notifyhub.reminders.models import Occasion, RuleVersion

SHOWN = 30


class VersionsPage(RuleBase):
    """The newest versions first, each with what it changed."""

    tab = "versions"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule = rule_of(pk)
        if rule is None:
            raise Http404
        rows = list(
            RuleVersion.objects.filter(rule=rule)
            .select_related("created_by", "calendar")
            .prefetch_related("steps__template")
            .order_by("-number")[: SHOWN + 1]
        )
        running = dict(
            Occasion.objects.filter(rule=rule, state=Occasion.State.RUNNING)
            .order_by()
            .values_list("rule_version")
            .annotate(n=Count("pk"))
        )
        lines: list[dict[str, Any]] = []
        for place, version in enumerate(rows[:SHOWN]):
            steps = list(version.steps.all())
            before = rows[place + 1] if place + 1 < len(rows) else None
            lines.append(
                {
                    "version": version,
                    "live": version.pk == rule.live_id,
                    "running": running.get(version.pk, 0),
                    "changes": words.differences((before, list(before.steps.all())), (version, steps))
                    if before
                    else [],
                    "parts": [] if before else words.describe(version, steps),
                }
            )
        older = sum(n for version, n in running.items() if version != rule.live_id)
        context = self.rule_context(rule, lines=lines, older_running=older)
        return render(request, "reminders/rule/versions.html", context)
