"""The public addresses of messaging."""

from django.urls import path

from notifyhub.messaging.public import UnsubscribePage
from notifyhub.messaging.tracking.views import Click, Opening, Why
from notifyhub.messaging.webhooks import Hook

urlpatterns = [
    path("u/<str:token>", UnsubscribePage.as_view(), name="unsubscribe"),
    path("c/<str:token>", Click.as_view(), name="click"),
    path("o/<str:token>", Opening.as_view(), name="opening"),
    path("w/<str:token>", Why.as_view(), name="why"),
    path("hooks/<int:account>/", Hook.as_view(), name="hook"),
    path("hooks/<int:account>/<str:token>/", Hook.as_view(), name="hook_by_address"),
]
