"""Dispatches: the list, the page with live counts, and pause, resume, cancel."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin
from notifyhub.core.templatetags.nh import bar, chip, number, when
from notifyhub.messaging.admin.dispatches.control import Cancel, Pause, Resume
from notifyhub.messaging.admin.dispatches.page import DispatchLive, DispatchPage
from notifyhub.messaging.looks import CLASS_TONES, DISPATCH_TONES
from notifyhub.messaging.models import Dispatch

State = Dispatch.State


@admin.register(Dispatch)
class DispatchAdmin(LedgerAdmin):
    """Sending jobs, newest first."""

    list_display = ("shown_title", "shown_class", "shown_state", "shown_progress", "shown_skipped", "created")
    list_display_links = ("shown_title",)
    list_filter = ("state", "message_class", "origin_kind")
    list_select_related = ("owner_team",)
    list_per_page = 25
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dispatch]:
        return super().get_queryset(request).defer("text", "audience")

    @display(description=gettext_lazy("title"))
    def shown_title(self, dispatch: Dispatch) -> SafeString:
        team = str(dispatch.owner_team or "")
        return format_html(
            '{}<br><span class="nh-muted nh-small">{}</span>',
            dispatch.shown_title,
            " · ".join(part for part in (f"#{dispatch.pk}", team, dispatch.shown_trigger) if part),
        )

    @display(description=gettext_lazy("message class"))
    def shown_class(self, dispatch: Dispatch) -> SafeString:
        return chip(dispatch.get_message_class_display(), CLASS_TONES[dispatch.message_class])  # type: ignore[index]

    @display(description=gettext_lazy("state"))
    def shown_state(self, dispatch: Dispatch) -> SafeString:
        return chip(dispatch.get_state_display(), DISPATCH_TONES[State(dispatch.state)])

    @display(description=gettext_lazy("handed over of planned"))
    def shown_progress(self, dispatch: Dispatch) -> SafeString:
        ended = dispatch.failed + dispatch.skipped + dispatch.unknown + dispatch.expired + dispatch.cancelled
        return format_html(
            "{}<span class='nh-small'>{} / {}</span>",
            bar(dispatch.sent + ended, dispatch.planned, DISPATCH_TONES[State(dispatch.state)]),
            number(dispatch.sent),
            number(dispatch.planned),
        )

    @display(description=gettext_lazy("skipped · failed · unknown"))
    def shown_skipped(self, dispatch: Dispatch) -> str:
        return f"{number(dispatch.skipped)} · {number(dispatch.failed)} · {number(dispatch.unknown)}"

    @display(description=gettext_lazy("created"))
    def created(self, dispatch: Dispatch) -> str:
        return when(dispatch.created_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return DispatchPage.as_view(model_admin=self)(request, pk=object_id)  # type: ignore[return-value]

    def get_urls(self) -> list[Any]:
        def page(route: str, view: Any, name: str) -> Any:
            bound = self.admin_site.admin_view(view.as_view(model_admin=self))
            return path(f"<int:pk>/{route}/", bound, name=f"messaging_dispatch_{name}")

        return [
            page("live", DispatchLive, "live"),
            page("pause", Pause, "pause"),
            page("resume", Resume, "resume"),
            page("cancel", Cancel, "cancel"),
            *super().get_urls(),
        ]
