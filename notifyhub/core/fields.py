"""Model fields for personal data."""

from typing import Any

from django.db import models

from notifyhub.core import crypto


class EncryptedTextField(models.BinaryField):
    """Text that is stored encrypted; `values()` and raw SQL see ciphertext, attributes see text.

    It cannot be filtered or ordered by: keep a `blind_index` beside it for look-ups.
    """

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str | None:
        return None if value is None else crypto.decrypt(bytes(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, str):
            value = crypto.encrypt(value)
        return super().get_db_prep_value(value, connection, prepared)

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: Any) -> str:
        return str(self.value_from_object(obj) or "")
