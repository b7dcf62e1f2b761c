"""The staff app's pages in the console."""

from notifyhub.staff.admin import jobs, notices

__all__ = ["jobs", "notices"]
