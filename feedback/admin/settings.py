"""Categories and time limits: what leads set up."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from feedback.models import Category, SlaPolicy
from feedback.services import categories
from notifyhub.core.admin import ServiceAdmin


@admin.register(Category)
class CategoryAdmin(ServiceAdmin):
    """The category tree. A category that is no longer used is made inactive; cases keep it."""

    list_display = ("name", "name_zh", "parent", "digit", "severity", "team", "active")
    list_filter = ("active", "severity", "level")
    list_select_related = ("parent", "team")
    search_fields = ("code", "name", "name_zh")
    autocomplete_fields = ("parent",)
    fields = ("code", "parent", "name", "name_zh", "icon", "digit", "severity", "team", "position", "active")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code", "parent") if obj else ()

    def create_object(self, request: HttpRequest, data: dict[str, Any]) -> Category:
        return categories.create_category(**data)

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        categories.update_category(category_id=obj.pk, changes=changes, version=version)


@admin.register(SlaPolicy)
class SlaPolicyAdmin(ServiceAdmin):
    """The time limits by severity; one row each, made with the house."""

    list_display = (
        "severity",
        "ack_minutes",
        "first_reply_minutes",
        "resolve_minutes",
        "reopened_resolve_minutes",
    )
    fields = ("severity", "ack_minutes", "first_reply_minutes", "resolve_minutes", "reopened_resolve_minutes")
    readonly_fields = ("severity",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        categories.update_policy(policy_id=obj.pk, changes=changes, version=version)
