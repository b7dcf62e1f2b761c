"""Keeping Python's garbage collector away from what never becomes garbage.

Django and the product are some hundred thousand objects that live as long as the process. A window makes
thousands more, so the collector would walk all of them again and again: a quarter of a worker's time.
"""

import gc
import os

# New objects between two looks at the young ones. A window of a hundred mails makes about as many, and
# nearly all of them go by reference counting when it ends.
YOUNG = 20_000

_calm_in: int | None = None


def calm_collector() -> None:
    """Take what lives now out of the collector's rounds, and let it look less often; once per process."""
    global _calm_in
    if _calm_in == os.getpid():
        return
    _calm_in = os.getpid()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
