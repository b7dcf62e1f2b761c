"""Reminder rules: the list, the guided page, the switches."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, IntegerField, Min, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifyhub.core.admin import PageMixin, ServiceAdmin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.templatetags.nh import number, when
from notifyhub.reminders.admin.forms import RuleForm, StepFormSet, initial_of, saved_otherwise
from notifyhub.reminders.admin.trying import TryRule
from notifyhub.reminders.models import Reminder, ReminderRule
from notifyhub.reminders.services import rules
from notifyhub.reminders.services.reports import recent_and_next, totals

TONES = {"draft": "grey", "active": "green", "paused": "orange", "archived": "grey"}
SWITCHES = {
    "activate": (rules.activate_rule, _("The rule is active. Due rows appear within a minute.")),
    "pause": (rules.pause_rule, _("Paused. Nothing more goes out by this rule.")),
    "archive": (rules.archive_rule, _("Archived.")),
}


class RulePage(PageMixin):
    """One rule: what it does, what comes next, what went."""

    permission_required = "reminders.view_reminderrule"

    def _rule(self) -> ReminderRule | None:
        pk = self.kwargs.get("pk")
        if pk is None:
            return None
        rows = ReminderRule.objects.select_related("owner", "owner_team")
        return get_object_or_404(rows.prefetch_related("steps__template"), pk=pk)

    def _may_write(self) -> bool:
        verb = "change" if self.kwargs.get("pk") else "add"
        return bool(self.request.user.has_perm(f"reminders.{verb}_reminderrule"))

    def _show(
        self, rule: ReminderRule | None, form: Any, steps: Any, status: int = 200, **extra: Any
    ) -> HttpResponse:
        context = self.get_context_data(
            title=rule.name if rule else _("New reminder rule"),
            crumbs=[
                (_("Reminder rules"), reverse("admin:reminders_reminderrule_changelist")),
                (rule.name if rule else _("New"), ""),
            ],
            rule=rule,
            tone=TONES.get(rule.state, "grey") if rule else "grey",
            form=form,
            steps=steps,
            version=self.request.POST.get("version") or (rule.version if rule else 1),
            may_write=self._may_write() and not (rule and rule.state == ReminderRule.State.ARCHIVED),
            may_try=self.request.user.has_perm("customers.view_customer"),
            counts=totals(rule) if rule else None,
            rows=recent_and_next(rule) if rule else None,
            unsendable=rules.find_unsendable(rule) if rule else [],
        )
        return render(self.request, "reminders/rule.html", {**context, **extra}, status=status)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rule = self._rule()
        if rule is None and not self._may_write():
            return self.handle_no_permission()
        data, lines = initial_of(rule)
        return self._show(rule, RuleForm(initial=data), StepFormSet(initial=lines, prefix="step"))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not self._may_write():
            return self.handle_no_permission()
        rule = self._rule()
        form, steps = RuleForm(request.POST), StepFormSet(request.POST, prefix="step")
        valid = [form.is_valid(), steps.is_valid()]
        if not all(valid):
            return self._show(rule, form, steps, status=422)
        specs = [spec for line in steps if (spec := line.spec()) is not None]
        try:
            if rule is None:
                user: Any = request.user
                rule = rules.create_rule(data=form.values(), steps=specs, owner=user)
            else:
                version = request.POST.get("version", "")
                rules.update_rule(
                    rule_id=rule.pk,
                    data=form.values(),
                    steps=specs,
                    version=int(version) if version.isdecimal() and len(version) < 10 else None,
                )
        except Conflict as conflict:
            theirs = saved_otherwise(rule, form) if rule else []
            form.refuse(conflict)
            # Whoever has compared may save again: over the version that they were shown.
            return self._show(rule, form, steps, status=409, version=conflict.current, theirs=theirs)
        except Refused as refusal:
            form.refuse(refusal)
            return self._show(rule, form, steps, status=422)
        messages.success(request, _("Saved."))
        return redirect("admin:reminders_reminderrule_change", rule.pk)


class SwitchRule(PageMixin):
    """Activate, pause or archive by POST."""

    permission_required = "reminders.change_reminderrule"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        get_object_or_404(ReminderRule, pk=pk)
        if verb not in SWITCHES:
            raise Http404
        service, done = SWITCHES[verb]
        try:
            service(rule_id=pk)
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, done)
        return redirect("admin:reminders_reminderrule_change", pk)


def _count(rows: Any) -> Any:
    """Return the number of the rule's `rows` as a subquery."""
    counted = rows.filter(rule=OuterRef("pk")).order_by().values("rule").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


@admin.register(ReminderRule)
class ReminderRuleAdmin(ServiceAdmin):
    """The list of rules."""

    list_display = ["name", "show_state", "anchor", "show_next", "show_planned", "show_sent", "owner_team"]
    list_filter = ["state", "anchor"]
    search_fields = ["name", "key"]
    list_select_related = ["owner_team"]

    def get_queryset(self, request: HttpRequest) -> Any:
        planned = Reminder.objects.filter(state=Reminder.State.PLANNED)
        week = Reminder.objects.filter(
            state=Reminder.State.DISPATCHED, due_at__gte=timezone.now() - timedelta(days=7)
        )
        following = planned.filter(rule=OuterRef("pk")).order_by().values("rule").annotate(at=Min("due_at"))
        return (
            super()
            .get_queryset(request)
            .annotate(planned=_count(planned), sent=_count(week), following=Subquery(following.values("at")))
        )

    @display(
        description=_("State"),
        ordering="state",
        label={"draft": "info", "active": "success", "paused": "warning"},
    )
    def show_state(self, rule: ReminderRule) -> Any:
        return rule.state, rule.get_state_display()

    @display(description=_("Next one"), ordering="following")
    def show_next(self, rule: Any) -> str:
        return when(rule.following)

    @display(description=_("Planned, 7 days"), ordering="planned")
    def show_planned(self, rule: Any) -> str:
        return number(rule.planned)

    @display(description=_("Sent, last 7 days"), ordering="sent")
    def show_sent(self, rule: Any) -> str:
        return number(rule.sent)

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        page = wrap(RulePage.as_view(model_admin=self))
        switch = wrap(SwitchRule.as_view(model_admin=self))
        trial = wrap(TryRule.as_view(model_admin=self))
        return [
            path("add/", page, name="reminders_reminderrule_add"),
            path("<int:pk>/change/", page, name="reminders_reminderrule_change"),
            path("<int:pk>/try/", trial, name="reminders_reminderrule_try"),
            path("<int:pk>/switch/<str:verb>/", switch, name="reminders_reminderrule_switch"),
            *super().get_urls(),
        ]
