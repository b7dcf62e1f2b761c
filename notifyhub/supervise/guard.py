"""Run a command that ends when the supervisor ends, even when that was killed.

Called as `guard.py PARENT SIGNAL COMMAND...`. The kernel forgets the wish for a death signal when a process
changes user or user namespace, so this stands after `unshare` or `setpriv`, right before the command itself.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: str, signal_name: str, *command: str) -> None:
    """Become the command; return only when it cannot be started."""
    # Python ignores these two, and a program keeps what it finds ignored.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.Signals[signal_name]))
        if os.getppid() != int(parent):  # it died before the line above
            return
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
