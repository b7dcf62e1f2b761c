"""The staff app's pages in the console."""

from notifyhub.staff.admin import audit, jobs, keys, notices, people, schedule

__all__ = ["audit", "jobs", "keys", "notices", "people", "schedule"]
