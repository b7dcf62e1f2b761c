"""Staff models."""

from notifyhub.staff.models.audit import AuditEntry, AuditLink
from notifyhub.staff.models.calendar import BusinessCalendar, CalendarDay
from notifyhub.staff.models.keys import ApiKey, ApiUsage, IdempotentRequest
from notifyhub.staff.models.people import Membership, Role, Team, User
from notifyhub.staff.models.work import Job, NodeBeat, StaffNotice, TickLease

__all__ = [
    "ApiKey",
    "ApiUsage",
    "AuditEntry",
    "AuditLink",
    "BusinessCalendar",
    "CalendarDay",
    "IdempotentRequest",
    "Job",
    "Membership",
    "NodeBeat",
    "Role",
    "StaffNotice",
    "Team",
    "TickLease",
    "User",
]
