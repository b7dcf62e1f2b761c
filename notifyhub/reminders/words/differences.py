"""What one version says that another does not."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from notifyhub.reminders.words.rule import describe


class Difference(NamedTuple):
    """In one respect: the sentences that went and those that came."""

    title: str
    gone: list[str]
    come: list[str]


def differences(old: tuple[Any, Sequence[Any]], new: tuple[Any, Sequence[Any]]) -> list[Difference]:
    """Return in words what changed from `old` (version, steps) to `new`, by respect."""
    found = []
    for before, after in zip(describe(*old), describe(*new), strict=True):
        gone = [one for one in before.sentences if one not in after.sentences]
        come = [one for one in after.sentences if one not in before.sentences]
        if gone or come:
            found.append(Difference(after.title, gone, come))
    return found
