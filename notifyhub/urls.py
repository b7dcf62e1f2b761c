"""All addresses of the house; each app brings its own list."""

from typing import Any

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from notifyhub.console.health import favicon, healthz, readyz
from notifyhub.console.metrics import metrics
from notifyhub.core.problems import unknown_address

api: list[Any] = [
    path("", include("notifyhub.customers.api_urls")),
    path("", include("notifyhub.messaging.api_urls")),
    path("", include("campaigns.api_urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
]

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/", permanent=False)),
    path("favicon.ico", favicon),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("api/v1/", include((api, "api"))),
    # Before the pages: whoever asks for an API reads JSON, whatever the address.
    re_path(r"^api/", unknown_address),
    path("v1/", include("notifyhub.customers.segment_api.urls")),
    path("", include("notifyhub.messaging.urls")),
]

handler400 = "notifyhub.core.problems.bad_request"
handler500 = "notifyhub.core.problems.server_error"
