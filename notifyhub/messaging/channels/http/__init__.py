"""What the vendors that speak HTTP have in common."""

from notifyhub.messaging.channels.http.base import HTTP_FIELDS, HttpBackend
from notifyhub.messaging.channels.http.calls import Answer, CallFailed

__all__ = ["HTTP_FIELDS", "Answer", "CallFailed", "HttpBackend"]
