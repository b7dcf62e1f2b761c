"""Addresses of the API that Segment's clients speak."""

from django.urls import URLPattern, path

from notifyhub.customers.segment_api.messages import TYPES
from notifyhub.customers.segment_api.views import SegmentView, SlashedView

# Clients differ in whether they end an address with a slash.
urlpatterns: list[URLPattern] = [
    path(f"{name}{slash}", view.as_view(kind="" if name in ("batch", "import") else name))
    for name in (*TYPES, "batch", "import")
    for slash, view in (("", SegmentView), ("/", SlashedView))
]
