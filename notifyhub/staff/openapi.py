"""How the API's description names our authentication."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """`Authorization: Bearer nh_…`."""

    target_class = "notifyhub.staff.api_keys.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "nh_<prefix>.<secret>"}


def register() -> None:
    """Nothing but the import counts: the class above registers itself when it is defined."""
