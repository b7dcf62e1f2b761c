"""What the campaigns app grants to each role."""

from notifyhub.core.registry import RoleGrant, role_grants
from notifyhub.staff import roles

VIEW = ("campaigns.view_campaign", "campaigns.view_run")
WRITE = ("campaigns.add_campaign", "campaigns.change_campaign")
LAUNCH = ("campaigns.launch_campaign",)

GRANTS = [
    RoleGrant(role=roles.MARKETING_EDITOR, permissions=(*VIEW, *WRITE, *LAUNCH)),
    RoleGrant(role=roles.MARKETING_APPROVER, permissions=(*VIEW, *LAUNCH)),
    RoleGrant(role=roles.CONTENT_EDITOR, permissions=VIEW),
    RoleGrant(role=roles.ANALYST, permissions=VIEW),
    # Who is called when sending goes wrong must be able to stop it.
    RoleGrant(role=roles.OPERATIONS, permissions=(*VIEW, *LAUNCH)),
]


def register() -> None:
    """Hand the campaigns app's grants to the registry."""
    role_grants.register("campaigns", GRANTS)
