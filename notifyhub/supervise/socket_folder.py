"""Where the socket of PostgreSQL lies: beside its data, or where a shorter path is to be had."""

import os
import shutil
import tempfile
from pathlib import Path

from notifyhub.supervise.problems import CannotStart

PORT = "5432"
#: The kernel's limit for the path of a socket, its closing zero taken off.
LONGEST_PATH = 107


def borrow_socket_folder(home: Path) -> Path:
    """A folder for the socket: beside the data, or a borrowed temp folder where that path is too long."""
    beside = home.with_name("socket")
    if _fits(beside):
        beside.mkdir(mode=0o700, exist_ok=True)
        return beside
    return_socket_folder(home)
    short = Path(tempfile.mkdtemp(prefix="notifyhub-"))
    if not _fits(short):
        short.rmdir()
        raise CannotStart(
            f"The paths {home} and {short.parent} are both too long for a Unix socket: "
            "set TMPDIR to a shorter one."
        )
    # So that the start after a crash finds it.
    _note_of_borrowing(home).symlink_to(short)
    return short


def return_socket_folder(home: Path) -> None:
    """Remove the temp folder that this start or a crashed one has borrowed, if any."""
    note = _note_of_borrowing(home)
    if note.is_symlink():
        shutil.rmtree(note.readlink(), ignore_errors=True)
        note.unlink()


def socket_lock(folder: Path) -> Path:
    """The file by which PostgreSQL marks the socket as its own."""
    return folder / f".s.PGSQL.{PORT}.lock"


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= LONGEST_PATH


def _note_of_borrowing(home: Path) -> Path:
    return home.with_name("socket-elsewhere")
