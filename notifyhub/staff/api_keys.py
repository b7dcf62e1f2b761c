"""API keys as a DRF authentication, and scopes as its permission."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import authentication, exceptions, permissions

from notifyhub.staff.context import Actor, set_actor
from notifyhub.staff.models import ApiKey
from notifyhub.staff.services.api_keys import find_api_key


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer nh_<prefix>.<secret>`; `request.auth` is the key, there is no user."""

    def authenticate(self, request: Any) -> tuple[Any, ApiKey] | None:
        kind, _space, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            return None
        key = find_api_key(token=token.strip())
        if key is None:
            raise exceptions.AuthenticationFailed(_("This API key is unknown, expired or revoked."))
        set_actor(Actor(kind="api", id=key.pk, name=key.name, ip=request.META.get("REMOTE_ADDR")))
        return None, key

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class HasScope(permissions.BasePermission):
    """Let a request in if its key has the scope that the view names in `required_scope`."""

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.auth is None:
            raise exceptions.NotAuthenticated(_("Send an API key as a Bearer token."))
        scope = getattr(view, "required_scope", None)
        return scope is not None and scope in request.auth.scopes
