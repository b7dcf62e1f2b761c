"""The guided page of one rule: every part of it, its words beside it, and the buttons of its rows."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models.consent import Channel
from notifyhub.reminders import words
from notifyhub.reminders.admin.rules.known import suggestions
from notifyhub.reminders.admin.rules.typed import Typed, act_on, needs_money_stops, start_of
from notifyhub.reminders.models import ReminderRule
from notifyhub.reminders.registry import skip_conditions
from notifyhub.reminders.services import rules

TONES = {"draft": "grey", "active": "green", "paused": "orange", "archived": "grey"}
LISTING = "admin:reminders_reminderrule_changelist"


def rule_of(pk: int | None) -> ReminderRule | None:
    """Return the rule with its version in force, or None for one to be; 404 for an unknown one."""
    if pk is None:
        return None
    rows = ReminderRule.objects.select_related("owner", "owner_team", "live__calendar", "live__created_by")
    return get_object_or_404(rows.prefetch_related("live__steps__template"), pk=pk)


def side_context(typed: Typed) -> dict[str, Any]:
    """Return the rule in words and what it still lacks, from the page as typed."""
    spec, steps = typed.spec() if typed.bound else (None, None)
    if spec is None or steps is None:
        return {}
    money = needs_money_stops({name: typed.form[name].value() for name in typed.form.fields}, spec)
    return {"parts": words.describe(spec, steps), "money": money}


class RuleBase(PageMixin):
    """What all pages of one rule share: the tabs, the state, who may write."""

    permission_required: Any = "reminders.view_reminderrule"
    tab = "rule"

    def may_write(self, rule: ReminderRule | None) -> bool:
        """Say whether the viewer may change this rule."""
        verb = "change" if rule else "add"
        allowed = bool(self.request.user.has_perm(f"reminders.{verb}_reminderrule"))
        return allowed and not (rule and rule.state == ReminderRule.State.ARCHIVED)

    def rule_context(self, rule: ReminderRule | None, **more: Any) -> dict[str, Any]:
        """Return the context of a page of the rule."""
        tabs = []
        if rule is not None:
            named = (
                ("rule", _("Rule"), "change"),
                ("report", _("Report"), "report"),
                ("versions", _("Versions"), "versions"),
            )
            tabs = [
                (key, label, reverse(f"admin:reminders_reminderrule_{url}", args=[rule.pk]))
                for key, label, url in named
            ]
        return self.get_context_data(
            title=rule.name if rule else _("New reminder rule"),
            crumbs=[(_("Reminder rules"), reverse(LISTING)), (rule.name if rule else _("New"), "")],
            rule=rule,
            tabs=tabs,
            tab=self.tab,
            tone=TONES.get(rule.state, "grey") if rule else "grey",
            may_write=self.may_write(rule),
            **more,
        )


class RulePage(RuleBase):
    """One rule, to read and to change."""

    def _show(self, rule: ReminderRule | None, typed: Typed, status: int = 200, **extra: Any) -> HttpResponse:
        values = {name: typed.form[name].value() for name in typed.form.fields}
        shown = typed
        if not typed.bound:
            shown = _reread(typed)
        known = suggestions(start_of(values)["event_name"])
        context = self.rule_context(
            rule,
            form=typed.form,
            steps=typed.sets["step"],
            filters=typed.sets["filter"],
            skips=typed.sets["skip"],
            skip_kinds=skip_conditions.items(),
            known=known,
            was="|".join(start_of(values).values()),
            channels=[label for _code, label in Channel.choices],
            version=self.request.POST.get("version") or (rule.version if rule else 1),
            may_try=self.request.user.has_perm("customers.view_customer"),
            unsendable=rules.find_unsendable(rule) if rule and status == 200 else [],
            **side_context(shown),
        )
        return render(self.request, "reminders/rule/page.html", {**context, **extra}, status=status)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rule = rule_of(kwargs.get("pk"))
        if rule is None and not self.may_write(rule):
            return self.handle_no_permission()
        return self._show(rule, Typed.of(rule) if rule else Typed.new())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        rule = rule_of(kwargs.get("pk"))
        verb = "change" if rule else "add"
        if not request.user.has_perm(f"reminders.{verb}_reminderrule"):
            return self.handle_no_permission()
        act = request.POST.get("act", "save")
        if act != "save":
            return self._show(rule, act_on(request.POST, act))
        typed = Typed.posted(request.POST)
        if not typed.valid:
            return self._show(rule, typed, status=422)
        try:
            rule, said = self._save(rule, typed)
        except Conflict as conflict:
            theirs = self._theirs(rule, typed)
            typed.refuse(conflict)
            # Whoever has compared may save again: over the version that they were shown.
            return self._show(rule, typed, status=409, version=conflict.current, theirs=theirs)
        except Refused as refusal:
            typed.refuse(refusal)
            return self._show(rule, typed, status=422)
        messages.success(request, said)
        return redirect("admin:reminders_reminderrule_change", rule.pk)

    def _save(self, rule: ReminderRule | None, typed: Typed) -> tuple[ReminderRule, Any]:
        spec, steps = typed.spec()
        user: Any = self.request.user
        if rule is None:
            return rules.create_rule(data=spec, steps=steps, owner=user), _(
                "Saved as a draft. Nothing goes out yet."
            )
        before = rule.live.number if rule.live else 0
        version = self.request.POST.get("version", "")
        saved = rules.update_rule(
            rule_id=rule.pk,
            data=spec,
            steps=steps,
            version=int(version) if version.isdecimal() and version.isascii() and len(version) < 10 else None,
            author=user,
        )
        if saved.live and saved.live.number > before:
            text = _("Saved as version %d. What has begun to send finishes on the version it began with.")
            return saved, text % saved.live.number
        return saved, _("Saved.")

    def _theirs(self, rule: ReminderRule | None, typed: Typed) -> list[Any]:
        current = rule_of(rule.pk) if rule else None
        if current is None or current.live is None:
            return []
        saved = words.differences(typed.spec(), (current.live, list(current.live.steps.all())))
        if current.name != typed.form.cleaned_data.get("name"):
            saved.insert(0, words.Difference(str(_("Name")), [], [current.name]))
        return saved


def _reread(typed: Typed) -> Typed:
    """Return an unchecked page as if it had been posted, so that its words can be said."""
    post: dict[str, Any] = {}
    for name in typed.form.fields:
        post[name] = _plain(typed.form[name].value())
    for prefix, rows in typed.sets.items():
        post[f"{prefix}-TOTAL_FORMS"], post[f"{prefix}-INITIAL_FORMS"] = str(len(rows.forms)), "0"
        for row in rows.forms:
            for name in row.fields:
                post[row.add_prefix(name)] = _plain(row[name].value())
    return Typed.posted(_Posted(post))


def _plain(value: Any) -> Any:
    if value is None or value is False:
        return ""
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return str(value)


class _Posted(dict[str, Any]):
    """Values as a posted form gives them."""

    def getlist(self, name: str) -> list[Any]:
        """Return the values of a name."""
        value = self.get(name, [])
        return value if isinstance(value, list) else [value]
