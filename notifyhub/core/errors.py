"""What a service raises when it says no."""

from typing import Any


class Refused(Exception):
    """A request that cannot be carried out, with a sentence for the person who made it.

    `field` names the input it belongs to, so that a form can show it in place; `code` is for programs.
    """

    def __init__(self, message: Any, *, field: str | None = None, code: str = "refused") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.code = code

    def __str__(self) -> str:
        return str(self.message)


class Conflict(Refused):
    """Somebody changed the row since it was read; `current` is the version it has now."""

    def __init__(self, message: Any, *, current: int | None = None) -> None:
        super().__init__(message, code="conflict")
        self.current = current
