"""The admin pages of messaging."""

from notifyhub.messaging.admin import templates

__all__ = ["templates"]
