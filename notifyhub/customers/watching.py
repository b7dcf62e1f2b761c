"""Where the watch over events shows itself: sidebar, customer's page, ticks, the search, the signal."""

from collections.abc import Iterable
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from notifyhub.core import registry
from notifyhub.core.doorbell import ring
from notifyhub.core.registry import CaseSubject, DashboardCard, NavItem, Origin, Panel, Tick
from notifyhub.customers.models import Alert, WatchRule
from notifyhub.customers.services.watch.following import watch_events
from notifyhub.customers.services.watch.retention import forget_watch
from notifyhub.customers.services.watch.words import alert_sentence
from notifyhub.customers.signals import events_recorded
from notifyhub.customers.tasks import watch_at_once_task
from notifyhub.staff.verbs import VERBS

SHOWN = 5
NEWEST = 3
VIEW = "customers.view_alert"
# A larger batch is read by its turn anyway, seconds later.
AT_ONCE = 500
WORDS = {
    "create_watch_rule": _("Added a watch rule"),
    "update_watch_rule": _("Changed a watch rule"),
    "activate_watch_rule": _("Switched a watch rule on"),
    "pause_watch_rule": _("Paused a watch rule"),
    "archive_watch_rule": _("Archived a watch rule"),
    "handle_alert": _("Handled an alert"),
    "dismiss_alert": _("Closed an alert as no problem"),
    "hold_orders": _("Held the orders of an alert"),
    "release_alert_holds": _("Released the orders of an alert"),
}


def open_badge(request: Any) -> int | None:
    """Return how many alerts are open, for the sidebar."""
    return Alert.objects.open().count() or None


def alerts_panel(request: Any, customer: Any) -> str:
    """Return the alerts that this customer's events are part of, open ones first."""
    closed = ExpressionWrapper(~Q(state=Alert.State.OPEN), output_field=BooleanField())
    alerts = Alert.objects.about(customer.pk).select_related("rule").order_by(closed, "-pk")
    context = {"rows": [(alert, alert_sentence(alert)) for alert in alerts[:SHOWN]]}
    return render_to_string("customers/watch/panel.html", context, request)


def case_panel(request: Any, subject: CaseSubject) -> str:
    """Return the open alerts about the customer or the order of a case; one query."""
    alerts = Alert.objects.open().about(subject.customer_id, subject.order_number)
    found = list(alerts.select_related("rule").order_by("-pk")[: SHOWN + 1])
    context = {
        "rows": [(alert, alert_sentence(alert)) for alert in found[:SHOWN]],
        "more": len(found) > SHOWN,
        "by_order": bool(subject.order_number),
    }
    return render_to_string("customers/watch/case_panel.html", context, request)


def open_alerts() -> dict[str, Any]:
    """Return how many alerts are open and the newest of them; two queries, one where none is open."""
    count = Alert.objects.open().count()
    newest = Alert.objects.open().select_related("rule").order_by("-pk")[:NEWEST] if count else []
    return {
        "count": count,
        "rows": [(alert, alert_sentence(alert)) for alert in newest],
        "more": count > NEWEST,
    }


def alerts_card(request: Any) -> str:
    """Return the open alerts as a card."""
    return render_to_string("customers/watch/card.html", open_alerts(), request)


def resolve_alerts(ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return title and page of each alert by its id as text."""
    numbers = [int(pk) for pk in ids if pk.isdigit()]
    return {
        str(pk): (name, reverse("admin:customers_alert_change", args=[pk]))
        for pk, name in Alert.objects.filter(pk__in=numbers).values_list("pk", "rule__name")
    }


def hear_events(events: dict[str, list[int]], **kwargs: Any) -> None:
    """Ring for the events that some rule watches, so that they need not wait for the tick."""
    watched: set[str] = set()
    for first, second, unless in WatchRule.objects.active().values_list("first", "second", "unless"):
        watched.update(first, second, unless)
    news = {name: ids for name, ids in events.items() if name in watched}
    if news and sum(map(len, news.values())) <= AT_ONCE:
        ring(watch_at_once_task, news, queue="housekeeping")


def register() -> None:
    """Open the roads."""
    VERBS.update(WORDS)
    items = (
        ("alerts", "customers", _("Alerts"), "notification_important", "alert", open_badge),
        ("watch_rules", "schedules", _("Watch rules"), "visibility", "watchrule", None),
    )
    for name, section, title, icon, model, badge in items:
        registry.navigation.register(
            name,
            NavItem(
                section=section,
                title=title,
                icon=icon,
                url_name=f"admin:customers_{model}_changelist",
                permission=f"customers.view_{model}",
                badge=badge,
            ),
            order=40,
        )
    registry.customer_panels.register(
        "alerts",
        Panel(title=_("Alerts"), render=alerts_panel, permission=VIEW, column="left"),
        order=40,
    )
    registry.case_panels.register("alerts", Panel(title=_("Open alerts"), render=case_panel, permission=VIEW))
    registry.dashboard_cards.register(
        "alerts",
        DashboardCard(
            boards=("service",),
            title=_("Open alerts"),
            render=alerts_card,
            width=6,
            permission=VIEW,
            refresh_seconds=30,
        ),
        order=110,
    )
    registry.origins.register("watch", Origin(label=_("Alert"), resolve=resolve_alerts, permission=VIEW))
    registry.ticks.register(
        "watch_events", Tick(run=watch_events, every_seconds=5, label=_("Watch rules over events"))
    )
    registry.ticks.register(
        "forget_watch", Tick(run=forget_watch, every_seconds=3600, label=_("Forget what watch rules saw"))
    )
    events_recorded.connect(hear_events, dispatch_uid="watch")
