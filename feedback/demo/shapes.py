"""What the demo's cases are told with."""

from dataclasses import dataclass

FOOD, HOTEL, TRAVEL = "food", "hotel", "travel"
# Nothing is known yet of how it ends.
NONE = ("", "", "")


@dataclass(frozen=True)
class Story:
    """One complaint as it may happen: `line` says on what kind of order, `outcome` how it ended.

    The outcome is the decision, the resolution and the root cause.
    """

    category: str
    severity: str
    line: str
    summary: str
    said: str
    answer: str
    outcome: tuple[str, str, str]
    kind: str = "complaint"
    source: str = ""


@dataclass(frozen=True)
class Turn:
    """One line of the thread, so many minutes ago. `who`: in, out, call, note, or failed (an answer lost)."""

    who: str
    ago: int
    text: str
    channel: str = ""


@dataclass(frozen=True)
class Open:
    """One case that is not finished, opened `age` minutes ago."""

    owner: str
    state: str
    age: int
    story: Story
    turns: tuple[Turn, ...] = ()
    waits: str = ""
    wait_hours: int = 0
    reopened: int = 0  # minutes ago: resolved once, and opened again
