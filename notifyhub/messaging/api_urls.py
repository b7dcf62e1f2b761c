"""Addresses of the messages API."""

from django.urls import URLPattern, path

from notifyhub.messaging.api.views import MessagesView, RequestView

urlpatterns: list[URLPattern] = [
    path("messages", MessagesView.as_view(), name="messages"),
    path("messages/<uuid:request_id>", RequestView.as_view(), name="messages-request"),
]
