"""A vendor of one's own: any system that takes a signed request with the message in it."""

from notifyhub.messaging.channels.webhook.backend import WebhookBackend

__all__ = ["WebhookBackend"]
