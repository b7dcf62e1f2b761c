"""Business calendars: which days are working days, and who says so.

A day of its own decides; where there is none, the weekday does. SQL asks the same way: rows of
`staff_calendarday` over `staff_businesscalendar.weekdays`.
"""

from notifyhub.staff.services.calendars.filling import fill_calendar, fill_calendar_after_migrate
from notifyhub.staff.services.calendars.questions import (
    default_calendar,
    is_working_day,
    next_working_day,
    years_entered,
)

__all__ = [
    "default_calendar",
    "fill_calendar",
    "fill_calendar_after_migrate",
    "is_working_day",
    "next_working_day",
    "years_entered",
]
