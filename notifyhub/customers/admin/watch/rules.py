"""Watch rules: the list, the guided page, trying it out, the switches."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.db import connection
from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from notifyhub.core.admin import PageMixin, ServiceAdmin, SwitchPage
from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.templatetags.nh import chip, number
from notifyhub.customers.admin.views import posted
from notifyhub.customers.admin.watch.forms import RuleForm, initial_of
from notifyhub.customers.models import Alert, WatchRule
from notifyhub.customers.services.events.shapes import ORDER_EVENTS
from notifyhub.customers.services.watch import rules
from notifyhub.customers.services.watch.examples import EXAMPLES, example
from notifyhub.customers.services.watch.sql import facts_of
from notifyhub.customers.services.watch.trying import try_rule
from notifyhub.customers.services.watch.words import alert_sentence, rule_sentence
from notifyhub.customers.words import EVENTS

TONES = {"draft": "grey", "active": "green", "paused": "orange", "archived": "grey"}
SWITCHES = {
    "activate": (rules.activate_rule, gettext_lazy("The rule watches from now on.")),
    "pause": (rules.pause_rule, gettext_lazy("Paused. It raises no alerts until you activate it again.")),
    "archive": (rules.archive_rule, gettext_lazy("Archived. Its alerts stay.")),
}
BLANK: dict[str, Any] = {
    "name": "", "kind": "twice", "first": [], "second": [], "unless": [], "scope": "order", "properties": [],
    "count": 5, "minutes": 60, "holds": False, "hold_hours": 48, "tell_team": None,
    "tell_role": "service_lead", "owner_team": None,
}  # fmt: skip
# The names of events there are, each found by one step into the index.
_KNOWN = """
WITH RECURSIVE names AS (
    (SELECT name, 1 AS n FROM customers_event ORDER BY name LIMIT 1)
    UNION ALL
    SELECT (SELECT e.name FROM customers_event e WHERE e.name > names.name ORDER BY e.name LIMIT 1), n + 1
    FROM names WHERE names.name IS NOT NULL AND n < 200)
SELECT name FROM names WHERE name IS NOT NULL
"""
PROPERTIES = ("merchant", "city", "amount", "currency", "channel", "provider", "reason", "store", "product")


def known_events() -> list[str]:
    """Return the names of events that were told, and those that the house understands."""
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN)
        told = {row[0] for row in cursor.fetchall()}
    return sorted(told | set(ORDER_EVENTS) | set(EVENTS) | {"payment_failed"})


class RulePage(PageMixin):
    """One rule: what it watches, in words, what it would have found, what it raised."""

    permission_required = "customers.view_watchrule"

    def get_rule(self) -> WatchRule | None:
        """Return the rule of the address; None on the page for a new one."""
        pk = self.kwargs.get("pk")
        if pk is None:
            return None
        return get_object_or_404(WatchRule.objects.select_related("owner", "tell_team", "owner_team"), pk=pk)

    def may_write(self, rule: WatchRule | None) -> bool:
        """Say whether the viewer may save here."""
        verb = "change" if rule else "add"
        return self.request.user.has_perm(f"customers.{verb}_watchrule") and not (
            rule and rule.state == WatchRule.State.ARCHIVED
        )

    def answer(self, rule: WatchRule | None, form: RuleForm, status: int = 200, **extra: Any) -> HttpResponse:
        """Return the page."""
        title = rule.name if rule else _("New watch rule")
        alerts = list(rule.alerts.order_by("-pk")[:5]) if rule else []
        context = self.get_context_data(
            title=title,
            crumbs=[(_("Watch rules"), reverse("admin:customers_watchrule_changelist")), (title, "")],
            rule=rule,
            tone=TONES[rule.state] if rule else "grey",
            words=rule_sentence(facts_of(rule)) if rule else "",
            form=form,
            version=self.request.POST.get("version") or (rule.version if rule else 1),
            may_write=self.may_write(rule),
            examples=[(code, facts["name"], rule_sentence(facts)) for code, facts in EXAMPLES.items()],
            alerts=[(alert, alert_sentence(alert)) for alert in alerts],
            known_events=known_events(),
            known_properties=PROPERTIES,
            **extra,
        )
        return render(self.request, "customers/watch/rule.html", context, status=status)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rule = self.get_rule()
        if rule is None and not self.may_write(None):
            return self.handle_no_permission()
        if rule:
            facts = {name: getattr(rule, name) for name in BLANK}
        else:
            facts = example(request.GET.get("example", "")) or BLANK
        return self.answer(rule, RuleForm(initial=initial_of(facts)))

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rule = self.get_rule()
        if not self.may_write(rule):
            return self.handle_no_permission()
        form = RuleForm(request.POST)
        if not form.is_valid():
            return self.answer(rule, form, 422)
        try:
            if rule is None:
                user: Any = request.user
                rule = rules.create_rule(data=form.values(), owner=user)
            else:
                text = posted(request, "version")
                version = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
                rules.update_rule(rule_id=rule.pk, data=form.values(), version=version)
        except Conflict as conflict:
            form.refuse(conflict)
            # Whoever has compared may save again: over the version that they were shown.
            extra = {"saved": rule_sentence(facts_of(rule))} if rule else {}
            return self.answer(rule, form, 409, **extra)
        except Refused as refusal:
            form.refuse(refusal)
            return self.answer(rule, form, 422)
        messages.success(request, _("Saved."))
        return redirect("admin:customers_watchrule_change", rule.pk)


class TryRule(RulePage):
    """POST the form: the rule in words, and what it would have found. Nothing is saved."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        form = RuleForm(request.POST)
        context: dict[str, Any] = {"form": form}
        status = 200
        try:
            if form.is_valid():
                facts = rules.read_rule(form.values() | {"name": form.cleaned_data["name"] or "-"})
                context |= {"words": rule_sentence(facts), "trial": try_rule(facts=facts), "facts": facts}
            else:
                status = 422
        except Refused as refusal:
            context["refusal"] = refusal
            status = 422
        return render(request, "customers/watch/tried.html", context, status=status)


class SwitchRule(SwitchPage):
    """Activate, pause or archive by POST."""

    permission_required = "customers.change_watchrule"
    model = WatchRule
    switches = SWITCHES


@admin.register(WatchRule)
class WatchRuleAdmin(ServiceAdmin):
    """The list of rules."""

    list_display = ("name", "state_chip", "words", "week", "tells", "owner")
    list_filter = ("state", "kind")
    list_filter_sheet = True
    list_select_related = ("owner", "tell_team")
    search_fields = ("name",)
    ordering = ("name",)
    sortable_by = ("name",)
    change_list_template = "customers/watch/rules.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        since = timezone.now() - timedelta(days=7)
        week = Alert.objects.filter(rule=OuterRef("pk"), raised_at__gt=since).order_by().values("rule")
        counted = Subquery(week.annotate(n=Count("pk")).values("n"), output_field=IntegerField())
        return super().get_queryset(request).annotate(raised=Coalesce(counted, 0))

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        page = wrap(RulePage.as_view(model_admin=self))
        return [
            path("add/", page, name="customers_watchrule_add"),
            path("try/", wrap(TryRule.as_view(model_admin=self)), name="customers_watchrule_try"),
            path("<int:pk>/change/", page, name="customers_watchrule_change"),
            path(
                "<int:pk>/switch/<str:verb>/",
                wrap(SwitchRule.as_view(model_admin=self)),
                name="customers_watchrule_switch",
            ),
            *super().get_urls(),
        ]

    @display(description=gettext_lazy("state"))
    def state_chip(self, rule: WatchRule) -> SafeString:
        return chip(rule.get_state_display(), TONES[rule.state])

    @display(description=gettext_lazy("what it watches"))
    def words(self, rule: WatchRule) -> str:
        return rule_sentence(facts_of(rule))

    @display(description=gettext_lazy("alerts, 7 days"))
    def week(self, rule: Any) -> str:
        return number(rule.raised)

    @display(description=gettext_lazy("tells"))
    def tells(self, rule: WatchRule) -> str:
        return str(rule.tell_team or dict(rules.ROLES)[rule.tell_role])
