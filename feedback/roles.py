"""What customer service grants to each role."""

from notifyhub.core.registry import RoleGrant, role_grants
from notifyhub.staff import roles

READ = ("feedback.view_case",)
READ_ALL = (*READ, "feedback.view_all_case")
WORK = (*READ, "feedback.add_case", "feedback.change_case")
CONFIGURE = (
    "feedback.view_category",
    "feedback.add_category",
    "feedback.change_category",
    "feedback.view_slapolicy",
    "feedback.change_slapolicy",
)

GRANTS = [
    RoleGrant(role=roles.AGENT, permissions=WORK),
    RoleGrant(role=roles.SENIOR_AGENT, permissions=WORK),
    RoleGrant(
        role=roles.SERVICE_LEAD,
        permissions=(*WORK, "feedback.view_all_case", "feedback.assign_case", *CONFIGURE),
    ),
    RoleGrant(role=roles.QUALITY_REVIEWER, permissions=READ_ALL),
    RoleGrant(role=roles.ANALYST, permissions=READ_ALL),
    # An administrator sets the house up; that alone opens no customer's complaint to them.
    RoleGrant(role=roles.ADMINISTRATOR, permissions=CONFIGURE),
]


def register() -> None:
    """Hand customer service's grants to the registry."""
    role_grants.register("feedback", GRANTS)
