"""Which backends there are, by code; the rows of ProviderAccount name them."""

from notifyhub.core.registry import Registry
from notifyhub.messaging.channels.base import Backend

backends: Registry[type[Backend]] = Registry()


def backends_for(channel: str) -> list[type[Backend]]:
    """Return the backends that can serve `channel`."""
    return [backend for backend in backends if "*" in backend.channels or channel in backend.channels]


def register_backends() -> None:
    """Register the backends that come with the product."""
    from notifyhub.messaging.channels.aliyun import AliyunSmsBackend
    from notifyhub.messaging.channels.memory import MemoryBackend
    from notifyhub.messaging.channels.sandbox import SandboxBackend
    from notifyhub.messaging.channels.smtp.backend import SmtpBackend
    from notifyhub.messaging.channels.webhook import WebhookBackend

    for backend in (SmtpBackend, AliyunSmsBackend, WebhookBackend, SandboxBackend, MemoryBackend):
        backends.register(backend.code, backend)
