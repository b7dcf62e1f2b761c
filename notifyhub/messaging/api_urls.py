"""Addresses of the messages API."""

from django.urls import URLPattern, path

from notifyhub.messaging.api.digests import WishesView
from notifyhub.messaging.api.views import MessagesView, RequestView

urlpatterns: list[URLPattern] = [
    path("messages", MessagesView.as_view(), name="messages"),
    path("messages/<uuid:request_id>", RequestView.as_view(), name="messages-request"),
    # Beside the customer, but told here: customers know nothing of digests.
    path("customers/<str:external_id>/digests", WishesView.as_view(), name="digest-wishes"),
]
