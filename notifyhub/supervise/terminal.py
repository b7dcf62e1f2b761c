"""What the person at the terminal sees."""

import os
import sys
from collections.abc import Sequence

COLOURS = {
    "database": 34,
    "broker": 36,
    "web": 32,
    "realtime": 33,
    "bulk": 35,
    "housekeeping": 90,
    "beat": 94,
}
WIDTH = max(map(len, COLOURS))


class Terminal:
    """Writes whole lines; a terminal that went away is no reason to stop."""

    def __init__(self, fd: int | None = None) -> None:
        self.fd = sys.stdout.fileno() if fd is None else fd
        self.colour = os.isatty(self.fd) and "NO_COLOR" not in os.environ

    def say(self, text: str) -> None:
        """Print a line of our own."""
        self._write(f"{text}\n".encode(errors="backslashreplace"))

    def log(self, name: str, line: bytes) -> None:
        """Print a line of a child, with its name in front."""
        head = f"{name:<{WIDTH}} |"
        if self.colour:
            head = f"\x1b[{COLOURS.get(name, 0)}m{head}\x1b[0m"
        self._write(head.encode() + b" " + line + b"\n")

    def frame(self, rows: Sequence[tuple[str, str]]) -> None:
        """Print label and value pairs where they cannot be overlooked."""
        rule = "-" * 72
        wide = max(len(label) for label, _ in rows)
        lines = [f"  {label:<{wide}}   {value}".rstrip() for label, value in rows]
        self.say("\n".join(["", rule, *lines, rule, ""]))

    def _write(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self.fd, data) :]
        except OSError:
            return
