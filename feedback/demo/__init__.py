"""Demo cases: two weeks of finished ones and a morning's open work."""

from collections.abc import Callable

from feedback.demo.loading import load_cases
from notifyhub.core.registry import demo_loaders


def load(say: Callable[[str], None]) -> None:
    """Make the cases."""
    made = load_cases()
    say(f"{made:,} cases in every state, with their threads and clocks")


def register() -> None:
    """Hand the loader to the registry."""
    demo_loaders.register("feedback", load, order=28)
