"""What somebody sees who typed wrong passwords too often."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _


def locked_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Return the page that says how long the door stays shut, with status 429."""
    minutes = max(1, round(settings.AXES_COOLOFF_TIME * 60))
    context = {**admin.site.each_context(request), "title": _("Signing in is paused"), "minutes": minutes}
    response = render(request, "staff/locked_out.html", context, status=429)
    response["Retry-After"] = str(minutes * 60)
    return response
