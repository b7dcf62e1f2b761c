"""How the API's keys are described in its schema."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """A key as a Bearer token."""

    target_class = "notifyhub.staff.api_keys.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "nh_<prefix>.<secret>"}


class WriteKeyScheme(OpenApiAuthenticationExtension):
    """A key as the user name of Basic auth, as Segment's clients send it."""

    target_class = "notifyhub.customers.segment_api.views.WriteKeyAuthentication"
    name = "writeKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic", "description": "The API key as the user name."}
