"""The report of a rule: by step, against the holdout, as a page and as a file."""

import csv
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from notifyhub.customers.services.exporting.cells import guard
from notifyhub.reminders.admin.rules.page import RuleBase, rule_of
from notifyhub.reminders.models import Reminder, ReminderRule, RuleVersion
from notifyhub.reminders.services.reports import Report, report_rule

DAYS = (7, 30, 90)
ANSWERS = ("read", "clicked", "unsubscribed", "complained")


def asked_days(request: HttpRequest) -> int:
    """Return over how many days; 30 unless told otherwise."""
    asked = request.GET.get("days", "")
    return int(asked) if asked in [str(n) for n in DAYS] else 30


def asked_version(request: HttpRequest, versions: list[RuleVersion]) -> RuleVersion | None:
    """Return the version asked for, None for all."""
    return next((one for one in versions if str(one.number) == request.GET.get("version", "")), None)


def _reasons(line: Any) -> list[tuple[str, str, int]]:
    """Return (state, reason, count) in words, most first."""
    known = [
        (str(Reminder.State(state).label), str(Reminder.Reason(reason).label), n)
        for (state, reason), n in line.reasons.items()
    ]
    return sorted(known, key=lambda one: -one[2])


class ReportBase(RuleBase):
    """What the page and the file share."""

    tab = "report"

    def report(self, pk: int) -> tuple[ReminderRule, Report, list[RuleVersion], RuleVersion | None]:
        """Return the rule, its report, its versions and the one asked for."""
        rule = rule_of(pk)
        if rule is None:
            raise Http404
        versions = list(
            RuleVersion.objects.filter(rule=rule).prefetch_related("steps").order_by("-number")[:30]
        )
        chosen = asked_version(self.request, versions)
        return rule, report_rule(rule=rule, days=asked_days(self.request), version=chosen), versions, chosen

    def names(self, versions: list[RuleVersion]) -> dict[int, str]:
        """Return the words of each step by its number, as the newest version that has it says."""
        return {step.number: str(step) for version in reversed(versions) for step in version.steps.all()}


class ReportPage(ReportBase):
    """What the rule did, and whether it helps."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule, report, versions, chosen = self.report(pk)
        names = self.names(versions)
        lines: list[dict[str, Any]] = [
            {"line": line, "name": names.get(line.number, _("a former step")), "reasons": _reasons(line)}
            for line in report.steps
        ]
        context = self.rule_context(
            rule,
            report=report,
            lines=lines,
            chart=_chart(lines) if any(line["line"].due for line in lines) else None,
            done_chart=_done_chart(report, names) if report.reminded.done else None,
            days=asked_days(request),
            all_days=DAYS,
            versions=versions,
            chosen=chosen,
            per_ten_thousand=_per_ten_thousand(report),
        )
        return render(request, "reminders/rule/report.html", context)


def _per_ten_thousand(report: Report) -> float | None:
    handed = sum(line.handed for line in report.steps)
    complaints = sum(line.answers.get("complained", 0) for line in report.steps)
    return complaints * 10_000 / handed if handed else None


def _chart(lines: list[dict[str, Any]]) -> dict[str, Any]:
    parts: tuple[tuple[str, str, str], ...] = (
        ("sent", _("Handed to sending"), "violet"),
        ("stopped", _("Stopped"), "green"),
    )
    parts += (
        ("skipped", _("Skipped"), "orange"),
        ("held_out", _("Held out"), "grey"),
        ("open", _("Not yet settled"), "blue"),
    )
    return {
        "type": "bar",
        "stacked": True,
        "title": _("What became of each step"),
        "labels": [line["name"] for line in lines],
        "y_label": _("Reminders"),
        "x_label": _("Step"),
        "datasets": [
            {"label": label, "data": [getattr(line["line"], name) for line in lines], "tone": tone}
            for name, label, tone in parts
        ],
    }


def _done_chart(report: Report, names: dict[int, str]) -> dict[str, Any]:
    return {
        "type": "bar",
        "title": _("After which step it was done"),
        "labels": [
            names.get(n, _("a former step")) if n else _("Before the first")
            for n, _count in report.done_by_step
        ],
        "y_label": _("Occasions done"),
        "x_label": _("Last step before"),
        "datasets": [{"label": _("Done"), "data": [n for _step, n in report.done_by_step], "tone": "green"}],
    }


class ReportExport(ReportBase):
    """The table of steps as a file for a spreadsheet."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        rule, report, versions, _chosen = self.report(pk)
        names = self.names(versions)
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="reminders-{rule.key}.csv"'
        response.write("\ufeff")
        writer = csv.writer(response, quoting=csv.QUOTE_ALL)
        head = [_("Step"), _("Due"), _("Handed to sending"), _("Stopped"), _("Skipped"), _("Held out")]
        head += [
            _("Not yet settled"),
            _("Late"),
            _("Done before"),
            _("Messages handed over"),
            _("Delivered"),
            _("Failed"),
        ]
        writer.writerow([*head, _("Read"), _("Clicked"), _("Opt-outs"), _("Complaints"), _("Reasons")])
        for line in report.steps:
            reasons = "; ".join(f"{state} · {reason}: {n}" for state, reason, n in _reasons(line))
            counts = [line.due, line.sent, line.stopped, line.skipped, line.held_out, line.open, line.late]
            counts += [line.done_before, line.handed, line.delivered, line.failed]
            counts += [line.answers.get(kind, 0) for kind in ANSWERS]
            writer.writerow([guard(names.get(line.number, str(line.number))), *counts, guard(reasons)])
        return response
