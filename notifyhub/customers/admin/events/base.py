"""What the pages about events share."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic.base import TemplateResponseMixin
from unfold.admin import ModelAdmin

from notifyhub.core.admin import PageMixin


class EventPage(TemplateResponseMixin, PageMixin):
    """A page below the catalogue."""

    permission_required: Any = "customers.view_eventname"

    def trail(self, *steps: tuple[str, str]) -> list[tuple[str, str]]:
        """Return the crumbs of a page below the catalogue; the last step is the page itself."""
        return [(_("Event catalogue"), reverse("admin:customers_eventname_changelist")), *steps]

    def may(self, permission: str) -> bool:
        """Say whether the viewer has a permission of this app."""
        return bool(self.request.user.has_perm(f"customers.{permission}"))


class PagesAdmin(ModelAdmin):
    """An admin whose pages are all our own; nothing is deleted or added by its forms."""

    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
