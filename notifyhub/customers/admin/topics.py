"""Topics: what customers can subscribe to or leave."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from notifyhub.core.admin import ServiceAdmin
from notifyhub.core.templatetags.nh import chip
from notifyhub.customers.models import Topic
from notifyhub.customers.services.topics import create_topic, update_topic

TONES = {"transactional": "blue", "service": "green", "promotional": "violet", "informational": "grey"}


@admin.register(Topic)
class TopicAdmin(ServiceAdmin):
    """Topics; only operations may make one transactional."""

    list_display = ("name", "name_zh", "code", "class_chip", "legal_basis", "in_use")
    list_filter = ("message_class",)
    list_filter_sheet = True
    fields = ("code", "name", "name_zh", "message_class", "legal_basis", "active")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def create_object(self, request: HttpRequest, data: dict[str, Any]) -> Topic:
        return create_topic(user=request.user, **data)  # type: ignore[arg-type]

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        update_topic(user=request.user, topic_id=obj.pk, changes=changes, version=version)  # type: ignore[arg-type]

    @display(description=_("message class"))
    def class_chip(self, obj: Topic) -> SafeString:
        return chip(obj.get_message_class_display(), TONES[obj.message_class])

    @display(description=_("active"), boolean=True)
    def in_use(self, obj: Topic) -> bool:
        return obj.active
