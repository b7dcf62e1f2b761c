"""The request to stop cleanly, seen by all children of a worker.

Children of a prefork worker do not see the SIGTERM that their parent gets, so the request is a byte of
shared memory mapped before the fork: this module is imported by the parent.
"""

import mmap
from typing import Any

from celery.signals import worker_init, worker_shutting_down

_flag = mmap.mmap(-1, 1)


def request_stop(**kwargs: Any) -> None:
    """Ask all workers of this process family to end after the window under way."""
    _flag[0] = 1


def withdraw_stop(**kwargs: Any) -> None:
    """Forget an earlier request."""
    _flag[0] = 0


def is_stopping() -> bool:
    """Say whether workers should give their leases back."""
    return _flag[0] == 1


worker_init.connect(withdraw_stop)
worker_shutting_down.connect(request_stop)
