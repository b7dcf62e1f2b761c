"""When a transient failure is tried again."""

import random

MAX_TRIES = 5
FIRST_SECONDS = 10.0
FACTOR = 3.0
LONGEST_SECONDS = 3600.0
JITTER = 0.2
# Before another account takes what one certainly did not.
FAILOVER_SECONDS = 0.1


def delay_before(*, tries: int, retry_after: float | None, chance: float | None = None) -> float | None:
    """Return after how many seconds to try again when `tries` tries failed, or None to give up.

    Exponential with jitter, so that what failed together does not come back together; never sooner than the
    vendor asked. `chance` in [0, 1) stands in for the dice.
    """
    if tries >= MAX_TRIES:
        return None
    roll = random.random() if chance is None else chance
    own = FIRST_SECONDS * FACTOR ** (tries - 1) * (1 - JITTER + 2 * JITTER * roll)
    return min(max(own, retry_after or 0.0), LONGEST_SECONDS)
