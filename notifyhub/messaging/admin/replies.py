"""The list of what customers replied, those of unknown numbers too."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin
from notifyhub.core.templatetags.nh import chip, when
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.customer_page import message_url, shorten
from notifyhub.messaging.looks import CHANNEL_ICONS
from notifyhub.messaging.models import InboundMessage
from notifyhub.messaging.services.ledger import links_for

TONES = {"stop": ("orange", "unsubscribe"), "start": ("green", "notifications_active")}


@admin.register(InboundMessage)
class ReplyAdmin(LedgerAdmin):
    """Replies, newest first. A reply has no page of its own: it stands with its message and its customer."""

    list_display = (
        "shown_at",
        "shown_channel",
        "shown_from",
        "shown_text",
        "shown_meaning",
        "shown_answers",
    )
    list_display_links = None
    list_filter = ("meaning", "channel", "account")
    list_select_related = ("customer",)
    ordering = ("-id",)
    list_per_page = 25

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboundMessage]:
        return super().get_queryset(request).defer("contact", "customer__attributes")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        # Where the replies of this page went is asked together, not once a row.
        listing = super().get_changelist_instance(request)
        replies = list(listing.result_list)
        links = links_for(request.user, [(one.taken_kind, one.taken_id) for one in replies])
        for one in replies:
            one.taken_url = links.get((one.taken_kind, one.taken_id), "")
        listing.result_list = replies
        return listing

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return redirect("admin:messaging_inboundmessage_changelist")

    @display(description=gettext_lazy("received at"), ordering="id")
    def shown_at(self, reply: InboundMessage) -> str:
        return when(reply.received_at)

    @display(description=gettext_lazy("channel"), ordering="channel")
    def shown_channel(self, reply: InboundMessage) -> SafeString:
        return chip(reply.get_channel_display(), "grey", CHANNEL_ICONS[Channel(reply.channel)])

    @display(description=gettext_lazy("from"))
    def shown_from(self, reply: InboundMessage) -> str:
        if reply.customer is None:
            return reply.masked or "—"
        where = reverse("admin:customers_customer_change", args=[reply.customer.pk])
        return format_html('<a class="nh-link" href="{}">{}</a> {}', where, str(reply.customer), reply.masked)

    @display(description=gettext_lazy("text"))
    def shown_text(self, reply: InboundMessage) -> str:
        return shorten(str(reply.text or "—"))

    @display(description=gettext_lazy("Result"), ordering="meaning")
    def shown_meaning(self, reply: InboundMessage) -> SafeString | str:
        if reply.meaning not in TONES:
            where = getattr(reply, "taken_url", "")
            return (
                format_html('<a class="nh-link" href="{}">{}</a>', where, reply.taken_id)
                if where
                else reply.taken_id
            )
        return chip(reply.get_meaning_display(), *TONES[reply.meaning])

    @display(description=gettext_lazy("answers"))
    def shown_answers(self, reply: InboundMessage) -> str:
        where = message_url(reply)
        return (
            format_html('<a class="nh-link nh-mono" href="{}">{}</a>', where, reply.answers) if where else "—"
        )
