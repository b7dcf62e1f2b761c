"""The case in the console: its list is the queue, its page the conversation, its add page the quick log."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest
from django.urls import path

from feedback.admin.acts import CaseAct, DraftAct, FactsAct, RetryAct
from feedback.admin.page import CasePage, CustomerColumn, ThreadPart
from feedback.admin.queue import ClaimCase, QueuePage, QueueRows
from feedback.admin.quicklog import CallerContext, CallerLookup, LogPage
from feedback.models import Case
from notifyhub.core.admin import ServiceAdmin
from notifyhub.core.numbers import read_number


@admin.register(Case)
class CaseAdmin(ServiceAdmin):
    """Every write goes through feedback.services; the theme's own form is never shown."""

    # For the pickers of other pages.
    search_fields = ("number",)

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view

        def own(route: str, view: Any, name: str) -> Any:
            return path(route, wrap(view.as_view(model_admin=self)), name=f"feedback_case_{name}")

        return [
            own("rows/", QueueRows, "rows"),
            own("lookup/", CallerLookup, "lookup"),
            own("caller/", CallerContext, "caller"),
            own("<int:pk>/claim/", ClaimCase, "claim"),
            own("<int:pk>/thread/", ThreadPart, "thread"),
            own("<int:pk>/customer/", CustomerColumn, "customer"),
            own("<int:pk>/draft/", DraftAct, "draft"),
            own("<int:pk>/facts/", FactsAct, "facts"),
            own("<int:pk>/retry/<int:line>/", RetryAct, "retry"),
            own("<int:pk>/act/<slug:act>/", CaseAct, "act"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return QueuePage.as_view(model_admin=self)(request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        return LogPage.as_view(model_admin=self)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        number = read_number(object_id)
        if number is None:
            raise Http404
        return CasePage.as_view(model_admin=self)(request, pk=number)
