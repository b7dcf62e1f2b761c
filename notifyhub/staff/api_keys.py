"""API keys as a DRF authentication, scopes as its permission, and the limit of requests a minute."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import authentication, exceptions, permissions, throttling

from notifyhub.staff.context import Actor, set_actor
from notifyhub.staff.models import ApiKey
from notifyhub.staff.services.api_keys import count_request, find_api_key, touch_api_key


def token_key(request: Any, token: str) -> ApiKey:
    """Return the key behind `token`, which acts from here on; raise AuthenticationFailed if there is none."""
    key = find_api_key(token=token)
    if key is None:
        raise exceptions.AuthenticationFailed(_("This API key is unknown, expired or revoked."))
    touch_api_key(key=key)
    set_actor(Actor(kind="api", id=key.pk, name=key.name, ip=request.META.get("REMOTE_ADDR")))
    return key


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer nh_<prefix>.<secret>`; `request.auth` is the key, there is no user."""

    def authenticate(self, request: Any) -> tuple[Any, ApiKey] | None:
        kind, _space, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            return None
        return None, token_key(request, token.strip())

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class HasScope(permissions.BasePermission):
    """Let a request in if its key has the scope that the view names in `required_scope`."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.auth is None:
            raise exceptions.NotAuthenticated(_("Send an API key as a Bearer token."))
        scope = getattr(view, "required_scope", None)
        return scope is not None and scope in request.auth.scopes


class KeyThrottle(throttling.BaseThrottle):
    """At most `per_minute` requests of one key in a clock minute, over all web processes."""

    seconds_left: int = 60

    def allow_request(self, request: Any, view: Any) -> bool:
        if request.auth is None:
            return True
        count, self.seconds_left = count_request(key=request.auth)
        return count <= request.auth.per_minute

    def wait(self) -> float:
        return self.seconds_left
