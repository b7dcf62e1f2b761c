"""Per request: who acts, in which time zone and language they look."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from notifyhub.staff.context import SYSTEM, Actor, acting


class ViewerMiddleware:
    """Activate the viewer's time zone and language, and name them as the actor."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        ip = request.META.get("REMOTE_ADDR") or None
        if user is None or not user.is_authenticated:
            with acting(Actor(kind=SYSTEM.kind, name="visitor", ip=ip)):
                return self.get_response(request)
        # A choice made with the language menu (cookie) goes before the profile.
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME)
        if user.language and not chosen:
            translation.activate(user.language)
            request.LANGUAGE_CODE = user.language
        with (
            acting(Actor(kind="staff", id=user.pk, name=str(user), ip=ip)),
            timezone.override(ZoneInfo(user.time_zone)),
        ):
            return self.get_response(request)
