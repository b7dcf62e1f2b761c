"""Alerts: the list, the page of one, and what staff decide."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic.base import TemplateResponseMixin
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin, PageMixin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.registry import subject_messages
from notifyhub.core.templatetags.nh import chip, number, when
from notifyhub.customers.admin.views import posted, read_number
from notifyhub.customers.models import Alert, AlertEvent, Customer
from notifyhub.customers.services.watch.deciding import MUTE_DAYS, dismiss_alert, handle_alert
from notifyhub.customers.services.watch.holding import holds_of, release_alert_holds
from notifyhub.customers.services.watch.words import alert_sentence, rule_sentence
from notifyhub.customers.words import event_words

SHOWN = 50
TONES = {
    Alert.State.OPEN: "red",
    Alert.State.HANDLED: "green",
    Alert.State.DISMISSED: "grey",
    Alert.State.SETTLED: "blue",
}


class AlertView(PageMixin):
    """What the pages about one alert share."""

    permission_required: Any = "customers.view_alert"

    def get_alert(self) -> Alert:
        """Return the alert of the address, if the viewer may see it."""
        alerts = self.model_admin.get_queryset(self.request).select_related("rule", "decided_by")
        alert = alerts.filter(pk=self.kwargs["pk"]).first()
        if alert is None:
            raise Http404
        return alert


class AlertPage(TemplateResponseMixin, AlertView):
    """What happened, to whom, what is held because of it, what was sent about it, what was decided."""

    template_name = "customers/watch/alert.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self.answer(self.get_alert())

    def answer(self, alert: Alert, status: int = 200, **extra: Any) -> HttpResponse:
        """Return the page."""
        may_decide = self.request.user.has_perm("customers.change_alert")
        events = list(alert.events.select_related("customer").order_by("-occurred_at", "message_id")[:SHOWN])
        holds = list(holds_of(alert).select_related("customer").order_by("pk")[: SHOWN + 1])
        context = self.get_context_data(
            title=alert.rule.name,
            crumbs=[(_("Alerts"), reverse("admin:customers_alert_changelist")), (alert.rule.name, "")],
            alert=alert,
            tone=TONES[Alert.State(alert.state)],
            sentence=alert_sentence(alert),
            rule_words=rule_sentence(alert.facts),
            events=[(event, event_words(event.name)) for event in events],
            event_count=alert.events.count(),
            shown=SHOWN,
            people=self._people(alert),
            holds=holds[:SHOWN],
            more_holds=len(holds) > SHOWN,
            told=self._messages(alert, events),
            may_decide=may_decide,
            mute_days=[(days, ngettext("%(n)d day", "%(n)d days", days) % {"n": days}) for days in MUTE_DAYS],
            quiet=alert.findings.filter(muted=True).count(),
            muted=alert.muted(timezone.now()),
            **extra,
        )
        return self.render_to_response(context, status=status)

    def _people(self, alert: Alert) -> list[tuple[Customer | None, int]]:
        rows = list(
            AlertEvent.objects.filter(alert=alert)
            .values("customer_id")
            .annotate(n=Count("pk"), last=Max("occurred_at"))
            .order_by("-last")[:SHOWN]
        )
        people = Customer.objects.in_bulk([row["customer_id"] for row in rows])
        return [(people.get(row["customer_id"]), row["n"]) for row in rows]

    def _messages(self, alert: Alert, events: list[AlertEvent]) -> list[Any] | None:
        """Return what was sent since about the orders shown; None where the viewer may not see messages."""
        pairs = sorted({(e.customer_id, f"order:{e.order_number}") for e in events if e.order_number})
        found = None
        for source in subject_messages:
            lines = source(pairs, alert.first_at or alert.raised_at, 20, self.request)
            found = [*(found or []), *lines] if lines is not None else found
        return found


class DecideAlert(AlertPage):
    """POST: handled, no problem, or only letting the orders go."""

    http_method_names = ["post"]
    permission_required = ("customers.view_alert", "customers.change_alert")

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        alert, verb = self.get_alert(), kwargs["verb"]
        note = posted(request, "note")
        try:
            if verb == "handle":
                handle_alert(alert_id=alert.pk, note=note, release=bool(posted(request, "release")))
                said = _("Handled. It is off the list of open alerts.")
            elif verb == "dismiss":
                dismiss_alert(alert_id=alert.pk, note=note, days=read_number(posted(request, "days")))
                said = _("Closed as no problem. The same stays quiet for the time you chose.")
            elif verb == "release":
                released = release_alert_holds(alert_id=alert.pk, reason=note)
                said = ngettext("%(n)d hold released.", "%(n)d holds released.", released) % {"n": released}
            else:
                raise Http404
        except Conflict as conflict:
            return self.answer(self.get_alert(), 409, refusal=conflict, typed=note, verb=verb)
        except Refused as refusal:
            return self.answer(alert, 422, refusal=refusal, typed=note, verb=verb)
        messages.success(request, said)
        return redirect("admin:customers_alert_change", alert.pk)


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*Alert.State.choices[1:], ("all", gettext_lazy("All"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        value = self.value()
        return queryset if value == "all" else queryset.filter(state=value or Alert.State.OPEN)

    def choices(self, changelist: Any) -> Any:
        first, *rest = super().choices(changelist)
        return [{**first, "display": Alert.State.OPEN.label}, *rest]


@admin.register(Alert)
class AlertAdmin(LedgerAdmin):
    """What the rules found."""

    list_display = ("what", "rule_name", "state_chip", "people_count", "since", "decision")
    list_filter = (StateFilter, "rule")
    list_filter_sheet = True
    list_select_related = ("rule", "decided_by")
    list_per_page = 25
    ordering = ("-pk",)
    sortable_by = ()
    search_fields = ("events__order_number",)
    search_help_text = gettext_lazy("Order number")
    change_list_template = "customers/watch/alerts.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Alert], search_term: str
    ) -> tuple[QuerySet[Alert], bool]:
        term = search_term.replace("\x00", "").strip()
        if not term:
            return queryset, False
        found = AlertEvent.objects.filter(order_number=term).values("alert_id")
        return queryset.filter(pk__in=found), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        if not object_id.isdecimal() or len(object_id) > 18:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        return AlertPage.as_view(model_admin=self)(request, pk=int(object_id))

    def get_urls(self) -> list[Any]:
        decide = self.admin_site.admin_view(DecideAlert.as_view(model_admin=self))
        own = path("<int:pk>/decide/<str:verb>/", decide, name="customers_alert_decide")
        return [own, *super().get_urls()]

    @display(description=gettext_lazy("what happened"))
    def what(self, alert: Alert) -> str:
        return alert_sentence(alert)

    @display(description=gettext_lazy("rule"))
    def rule_name(self, alert: Alert) -> str:
        return alert.rule.name

    @display(description=gettext_lazy("state"))
    def state_chip(self, alert: Alert) -> SafeString:
        icon = "error" if alert.state == Alert.State.OPEN else ""
        return chip(alert.get_state_display(), TONES[Alert.State(alert.state)], icon)

    @display(description=gettext_lazy("customers"))
    def people_count(self, alert: Alert) -> str:
        return number(alert.people)

    @display(description=gettext_lazy("raised at"))
    def since(self, alert: Alert) -> str:
        return when(alert.raised_at)

    @display(description=gettext_lazy("decided by"))
    def decision(self, alert: Alert) -> str | SafeString:
        if alert.decided_by is None:
            return "—"
        return format_html("{} · {}", alert.decided_by, when(alert.decided_at))
