"""The request to stop cleanly, seen by all children of a worker.

Children of a prefork worker do not see the SIGTERM that their parent gets, so the request is a byte of
shared memory mapped before the fork: this module is imported by the parent. Where the whole process group is
signalled, or one child alone, the child ends its task first: dying at once would leave its window in doubt.
"""

import mmap
import os
import signal
import threading
import time
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_init, worker_process_init, worker_shutting_down

# After its task a child still tells its parent how that went; a parent that stops ends it sooner.
LAST_WORDS_SECONDS = 1.0

_flag = mmap.mmap(-1, 1)


def request_stop(**kwargs: Any) -> None:
    """Ask all workers of this process family to end after the window under way."""
    _flag[0] = 1


def withdraw_stop(**kwargs: Any) -> None:
    """Forget an earlier request."""
    _flag[0] = 0


def is_stopping() -> bool:
    """Say whether workers should give their leases back."""
    return _flag[0] == 1 or _child.leaving


class _Child:
    """What a pool child knows of its own end."""

    def __init__(self) -> None:
        self.pid = 0
        self.tasks = 0
        self.leaving = False
        self._before: Any = None

    def begin(self, **kwargs: Any) -> None:
        """Note that this process is a pool child."""
        self.__init__()  # type: ignore[misc]
        self.pid = os.getpid()

    def enter(self, **kwargs: Any) -> None:
        """Note that a task begins; only now, since the pool sets its own handlers after its initializers."""
        if self.pid != os.getpid() or threading.current_thread() is not threading.main_thread():
            return
        self.tasks += 1
        if self._before is None:
            self._before = signal.signal(signal.SIGTERM, self._asked)

    def exit(self, **kwargs: Any) -> None:
        """Note that a task has ended."""
        if self.pid == os.getpid() and self.tasks:
            self.tasks -= 1

    def _asked(self, number: int, frame: Any) -> None:
        if self.tasks and not self.leaving:
            self.leaving = True
            threading.Thread(target=self._leave, name="leaving", daemon=True).start()
        elif callable(self._before):
            self._before(number, frame)
        else:
            os._exit(128 + number)

    def _leave(self) -> None:
        quiet = 0.0
        while quiet < LAST_WORDS_SECONDS:
            time.sleep(0.1)
            quiet = 0.0 if self.tasks else quiet + 0.1
        os._exit(0)


_child = _Child()

worker_init.connect(withdraw_stop)
worker_shutting_down.connect(request_stop)
worker_process_init.connect(_child.begin)
task_prerun.connect(_child.enter)
task_postrun.connect(_child.exit)
