"""File locks: one supervisor per data folder, and a sign of life from all it started."""

import fcntl
import os
from pathlib import Path


def take_lock(path: Path) -> int | None:
    """An open, locked file descriptor; None while another process holds the lock.

    The lock lives as long as any copy of the descriptor. A child that inherits it therefore keeps the lock
    until it has ended, which tells a later start that something of the last one is still at work.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def write_note(fd: int, text: str) -> None:
    """Leave a few words in the lock file for whoever finds it locked."""
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)
