"""The public addresses of messaging."""

from django.urls import path

from notifyhub.messaging.public import UnsubscribePage
from notifyhub.messaging.webhooks import Hook

urlpatterns = [
    path("u/<str:token>", UnsubscribePage.as_view(), name="unsubscribe"),
    path("hooks/<int:account>/", Hook.as_view(), name="hook"),
    path("hooks/<int:account>/<str:token>/", Hook.as_view(), name="hook_by_address"),
]
