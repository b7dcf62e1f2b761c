"""The callbacks of the theme's settings: sidebar, dashboards, search, environment label."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import SECTIONS
from notifyhub.core.registry import navigation as entries

TITLES = {
    "marketing": _("Marketing"),
    "service": _("Customer service"),
    "schedules": _("Schedules"),
    "customers": _("Customers"),
    "messages": _("Messages"),
    "system": _("System"),
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar: the registered entries the viewer may open, by section."""
    user: Any = request.user
    groups = []
    for section in SECTIONS:
        items = []
        for item in entries:
            if item.section != section or (item.permission and not user.has_perm(item.permission)):
                continue
            items.append({"title": item.title, "icon": item.icon, "link": reverse_lazy(item.url_name)})
        if items:
            groups.append(
                {"title": TITLES[section], "separator": False, "collapsible": False, "items": items}
            )
    return groups


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the first page."""
    return context


def environment(request: HttpRequest) -> list[str] | None:
    """Return the label beside the title outside production."""
    return None if settings.PRODUCTION else [str(_("Demo")), "warning"]


def search(request: HttpRequest, term: str) -> list[Any]:
    """Return nothing: our own search page posts the term, so that no number lands in a URL or a cache."""
    return []


def stylesheet(request: HttpRequest) -> str:
    """Return the address of the console's stylesheet."""
    return static("console/console.css")


def script(request: HttpRequest) -> str:
    """Return the address of the console's script."""
    return static("console/console.js")


def favicon(request: HttpRequest) -> str:
    """Return the address of the icon."""
    return static("console/icon.svg")
