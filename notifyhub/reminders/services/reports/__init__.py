"""What reminders have done and what they will do next."""

from notifyhub.reminders.services.reports.attention import Concern, find_concerns
from notifyhub.reminders.services.reports.outcomes import with_outcomes
from notifyhub.reminders.services.reports.overview import next_hours, settled_by_reason, settled_today
from notifyhub.reminders.services.reports.rule import Report, StepLine, report_rule
from notifyhub.reminders.services.reports.shares import Share, compare

__all__ = [
    "Concern",
    "Report",
    "Share",
    "StepLine",
    "compare",
    "find_concerns",
    "next_hours",
    "report_rule",
    "settled_by_reason",
    "settled_today",
    "with_outcomes",
]
