"""Customer service in the console."""

from feedback.admin import case, settings

__all__ = ["case", "settings"]
