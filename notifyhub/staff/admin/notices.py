"""The bell: what is new for the viewer."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin
from notifyhub.core.templatetags.nh import chip, when
from notifyhub.staff.models import StaffNotice
from notifyhub.staff.services.notices import mark_read

SHOWN = 8
TONES = {
    StaffNotice.Level.INFO: "blue",
    StaffNotice.Level.SUCCESS: "green",
    StaffNotice.Level.WARNING: "orange",
    StaffNotice.Level.ALARM: "red",
}
ICONS = {
    StaffNotice.Level.INFO: "info",
    StaffNotice.Level.SUCCESS: "check_circle",
    StaffNotice.Level.WARNING: "warning",
    StaffNotice.Level.ALARM: "error",
}


@admin.register(StaffNotice)
class StaffNoticeAdmin(LedgerAdmin):
    """Everybody's own notices, read and unread."""

    list_display = ("shown_level", "title", "body", "shown_at", "read")
    list_filter = ("level",)
    list_display_links = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffNotice]:
        return StaffNotice.objects.filter(recipient_id=request.user.pk).order_by("-id")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("bell/", wrap(never_cache(self.bell_view)), name="staff_notices"),
            path("read/", wrap(self.read_view), name="staff_notices_read"),
            *super().get_urls(),
        ]

    def bell_view(self, request: HttpRequest, opened: bool = False) -> HttpResponse:
        """Return the bell with the number of unread notices and the newest of them."""
        unread = self.get_queryset(request).filter(read_at=None)
        notices = list(unread[: SHOWN + 1])
        for notice in notices:
            level = StaffNotice.Level(notice.level)
            notice.tone, notice.icon = TONES[level], ICONS[level]  # type: ignore[attr-defined]
        count = len(notices) if len(notices) <= SHOWN else unread.count()
        context = {"notices": notices[:SHOWN], "unread": count, "opened": opened}
        return render(request, "staff/bell.html", context)

    def read_view(self, request: HttpRequest) -> HttpResponse:
        """Mark one notice (`notice`) or all as read; return the bell, or go to the notice's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        chosen = request.POST.get("notice", "")
        number = int(chosen) if chosen.isascii() and chosen.isdecimal() and len(chosen) < 19 else None
        if chosen and number is None:
            return redirect("admin:staff_staffnotice_changelist")
        mark_read(user=request.user, notice_id=number)  # type: ignore[arg-type]
        if request.headers.get("HX-Request"):
            return self.bell_view(request, opened=True)
        notice = self.get_queryset(request).filter(pk=number).first() if number else None
        # Addresses in notices are written by our own services and stay on this site.
        if notice and notice.url.startswith("/") and not notice.url.startswith("//"):
            return redirect(notice.url)
        return redirect("admin:staff_staffnotice_changelist")

    @display(description=gettext_lazy("level"))
    def shown_level(self, notice: StaffNotice) -> SafeString:
        level = StaffNotice.Level(notice.level)
        return chip(notice.get_level_display(), TONES[level], ICONS[level])

    @display(description=gettext_lazy("at"), ordering="id")
    def shown_at(self, notice: StaffNotice) -> str:
        return when(notice.created_at)

    @display(description=gettext_lazy("read"), boolean=True)
    def read(self, notice: StaffNotice) -> bool:
        return notice.read_at is not None
