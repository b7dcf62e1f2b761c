"""The public addresses of messaging."""

from django.urls import path

from notifyhub.messaging.public import UnsubscribePage

urlpatterns = [path("u/<str:token>", UnsubscribePage.as_view(), name="unsubscribe")]
