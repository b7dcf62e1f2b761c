"""The staff app's pages in the console."""

from notifyhub.staff.admin import audit, calendars, jobs, keys, notices, people, schedule

__all__ = ["audit", "calendars", "jobs", "keys", "notices", "people", "schedule"]
