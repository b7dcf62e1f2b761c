"""Who acts in this thread, for the audit trail."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A member of staff, an API key, or the system."""

    kind: str = "system"
    id: int | None = None
    name: str = "system"
    ip: str | None = None


SYSTEM = Actor()
_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current_actor() -> Actor:
    """Return who acts now; the system outside requests."""
    return _actor.get()


def set_actor(actor: Actor) -> None:
    """Name the actor for the rest of this context (an API key, once it is known)."""
    _actor.set(actor)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Run the block as `actor`."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)
