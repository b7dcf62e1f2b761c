"""The list of messages: by dispatch, by customer, or by what happened on a day."""

from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from notifyhub.core.admin import PageMixin
from notifyhub.core.numbers import read_number
from notifyhub.customers.models import Customer
from notifyhub.customers.models.consent import Channel
from notifyhub.customers.services.search import find_customers
from notifyhub.messaging.looks import CHANNEL_ICONS, STATE_TONES
from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.services.ledger import LedgerQuery, list_messages, show_origins


def read_query(get: Any) -> LedgerQuery:
    """Return the query of the address; what makes no sense is left out."""
    state = read_number(get.get("state", ""))
    try:
        day = date.fromisoformat(get.get("day", ""))
    except ValueError:
        day = None
    kind, channel, reason = get.get("kind", ""), get.get("channel", ""), get.get("reason", "")
    return LedgerQuery(
        dispatch_id=read_number(get.get("dispatch", "")),
        customer_id=read_number(get.get("customer", "")),
        kind=kind if kind in DeliveryEvent.Kind.values else "",
        day=day if day and 2000 < day.year < 3000 else None,
        channel=channel if channel in Channel.values else "",
        state=state if state in Delivery.State.values else None,
        reason=reason if reason in Delivery.Reason.values else "",
    )


class MessageList(PageMixin, TemplateView):
    """Messages, newest first, a page at a time by key."""

    template_name = "messaging/ledger/list.html"
    permission_required = "messaging.view_delivery"
    title = gettext_lazy("Messages")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        get = self.request.GET
        query = read_query(get)
        page = list_messages(query=query, cursor=get.get("after", ""))
        page = replace(page, lines=show_origins(self.request.user, page.lines))
        asked = {name: value for name, value in get.items() if name != "after" and value}
        more = f"?{urlencode({**asked, 'after': page.cursor})}" if page.cursor else ""
        return super().get_context_data(
            query=query,
            page=page,
            more=more,
            filtered=bool(asked),
            first=not get.get("after"),
            channels=[(value, label, CHANNEL_ICONS[Channel(value)]) for value, label in Channel.choices],
            states=Delivery.State.choices,
            reasons=Delivery.Reason.choices,
            kinds=DeliveryEvent.Kind.choices,
            tones=STATE_TONES,
            icons=CHANNEL_ICONS,
            dispatch=Dispatch.objects.only("id", "title", "origin_kind", "origin_id")
            .filter(pk=query.dispatch_id or 0)
            .first(),
            customer=Customer.objects.only("id", "name", "external_id")
            .filter(pk=query.customer_id or 0)
            .first(),
            **kwargs,
        )


class CustomerMessages(PageMixin):
    """Finds the customer whose messages to list; by POST, so that no number lands in an address."""

    permission_required = ("messaging.view_delivery", "customers.view_customer")
    title = gettext_lazy("Messages")

    def post(self, request: HttpRequest) -> HttpResponse:
        text = request.POST.get("q", "")
        found = find_customers(text=text, limit=20)
        base = reverse("admin:messaging_delivery_changelist")
        if len(found) == 1:
            return redirect(f"{base}?customer={found[0].pk}")
        self.crumbs = [(_("Messages"), base), (_("Choose a customer"), "")]
        context = self.get_context_data(found=found, text=text)
        return render(request, "messaging/ledger/choose.html", context)
