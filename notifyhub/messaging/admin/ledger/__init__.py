"""Messages: the list, the page of one, and the sandbox's phone and inbox."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path

from notifyhub.core.admin import LedgerAdmin
from notifyhub.messaging.admin import digests
from notifyhub.messaging.admin.ledger.listing import CustomerMessages, MessageList
from notifyhub.messaging.admin.ledger.message import MailFrame, MessagePage, MessagePanel
from notifyhub.messaging.admin.ledger.sandbox import SandboxPage, SandboxReply
from notifyhub.messaging.admin.ledger.settling import SettleMessage
from notifyhub.messaging.models import Delivery


@admin.register(Delivery)
class DeliveryAdmin(LedgerAdmin):
    """The ledger. All its pages are our own: lists by key, never by count."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return MessageList.as_view(model_admin=self)(request)  # type: ignore[return-value]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        # The row's own number is not its name: the page is found by dispatch and number.
        return redirect("admin:messaging_delivery_changelist")

    def get_urls(self) -> list[Any]:
        def page(route: str, view: Any, name: str) -> Any:
            bound = self.admin_site.admin_view(view.as_view(model_admin=self))
            return path(route, bound, name=f"messaging_delivery_{name}")

        return [
            page("find/", CustomerMessages, "find"),
            page("sandbox/", SandboxPage, "sandbox"),
            page("<str:reference>/message/", MessagePage, "page"),
            page("<str:reference>/settle/", SettleMessage, "settle"),
            page("<str:reference>/reply/", SandboxReply, "reply"),
            page("<str:reference>/mail/", MailFrame, "mail"),
            page("<str:reference>/panel/<slug:name>/", MessagePanel, "panel"),
            *(page(f"waiting/<int:pk>/{name}/", view, name) for name, view in digests.ACTS.items()),
            *super().get_urls(),
        ]
