"""One window: read and gate, render, open, hand over, settle.

Between "open" and "settle" lies the only span in which a crash leaves doubt, and only about the rows that
were opened: rows that a gate stops or that cannot be rendered are settled with the opening.
"""

from notifyhub.messaging.engine.window.running import WINDOW_ROWS, run_window

__all__ = ["WINDOW_ROWS", "run_window"]
