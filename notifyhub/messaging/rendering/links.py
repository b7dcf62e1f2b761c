"""The public links of one message."""

from django.conf import settings

from notifyhub.core.tokens import make_token

UNSUBSCRIBE = "unsubscribe"
# The variable by which a text places the link; sending fills it for every message.
UNSUBSCRIBE_VARIABLE = "unsubscribe_url"


def unsubscribe_url(*, dispatch_id: int, delivery_id: int) -> str:
    """Return the address of RFC 8058's one-click page for one message, for header and text."""
    token = make_token([dispatch_id, delivery_id], purpose=UNSUBSCRIBE)
    return f"{settings.PUBLIC_URL}/u/{token}"
