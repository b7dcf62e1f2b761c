"""The progress of a command that reads a file."""

import sys
import time
from typing import Any


class ProgressLine:
    """The progress line: rewritten in place on a terminal, one line a chunk elsewhere."""

    def __init__(self, out: Any, start: int) -> None:
        self.out = out
        self.start = start
        self.began = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        rate = (done - self.start) / max(time.monotonic() - self.began, 0.001)
        share = f" / {total:,} ({done / total:.0%})" if total else ""
        text = f"{done:,}{share} · {rate:,.0f}/s"
        if sys.stderr.isatty():
            self.out.write("\r" + text.ljust(60), ending="\n" if total and done >= total else "")
        else:
            self.out.write(text)
        self.out.flush()
