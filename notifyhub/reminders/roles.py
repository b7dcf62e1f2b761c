"""What the reminders app grants to each role."""

from notifyhub.core.registry import RoleGrant, role_grants
from notifyhub.staff import roles

VIEW = ("reminders.view_reminderrule", "reminders.view_reminder")
WRITE = ("reminders.add_reminderrule", "reminders.change_reminderrule")

GRANTS = [
    *(
        RoleGrant(role=role, permissions=VIEW)
        for role in (*roles.MARKETING, *roles.SERVICE, roles.ANALYST, roles.OPERATIONS)
    ),
    *(
        RoleGrant(role=role, permissions=WRITE)
        for role in (roles.MARKETING_EDITOR, roles.SERVICE_LEAD, roles.OPERATIONS)
    ),
]


def register() -> None:
    """Hand the reminders app's grants to the registry."""
    role_grants.register("reminders", GRANTS)
