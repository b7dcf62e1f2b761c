"""The staff app's pages in the console."""

from notifyhub.staff.admin import audit, jobs, notices

__all__ = ["audit", "jobs", "notices"]
