"""Demo reminders."""

from notifyhub.core.registry import demo_loaders


def load(say):
    return None


def register() -> None:
    """Hand the loader to the registry."""
    demo_loaders.register("reminders", load, order=25)
