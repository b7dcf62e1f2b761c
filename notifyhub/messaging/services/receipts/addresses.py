"""The address to which a provider sends its receipts."""

from django.conf import settings
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from notifyhub.messaging.channels.registry import backends
from notifyhub.messaging.models import ProviderAccount

_SALT = "notifyhub.hooks"
_NUMBER = "receipt_number"


def receipt_address(account: ProviderAccount) -> str:
    """Return the address to give to the provider; "" if its backend gets no receipts."""
    backend = backends.get(account.backend)
    if backend is None or not backend.receipts:
        return ""
    if backend.receipts == "signed":
        path = reverse("hook", args=[account.pk])
    else:
        path = reverse("hook_by_address", args=[account.pk, _token(account, settings.SECRET_KEY)])
    return f"{settings.PUBLIC_URL}{path}"


def is_right_address(account: ProviderAccount, token: str) -> bool:
    """Say whether `token` is the secret in the account's address; an old key of the site still counts."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(_token(account, key), token) for key in keys)


def _token(account: ProviderAccount, key: str) -> str:
    value = f"{account.pk}.{account.config.get(_NUMBER, 1)}"
    return salted_hmac(_SALT, value, secret=key, algorithm="sha256").hexdigest()[:32]
