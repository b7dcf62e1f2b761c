"""What the messaging app grants to each role."""

from notifyhub.core.registry import RoleGrant, role_grants
from notifyhub.staff import roles

READ = (
    "messaging.view_template",
    "messaging.view_dispatch",
    "messaging.view_delivery",
    "messaging.view_inboundmessage",
)
WRITE_TEMPLATES = ("messaging.add_template", "messaging.change_template")
# Halts, resuming, draining, probing: what the operations page presses.
STEER = ("messaging.view_halt", "messaging.add_halt", "messaging.change_halt")

GRANTS = [
    *(
        RoleGrant(role=role, permissions=READ)
        for role in (
            *roles.MARKETING,
            *roles.SERVICE,
            roles.ANALYST,
            roles.OPERATIONS,
            roles.QUALITY_REVIEWER,
        )
    ),
    *(
        RoleGrant(role=role, permissions=(*WRITE_TEMPLATES, "messaging.publish_template"))
        for role in (roles.MARKETING_EDITOR, roles.CONTENT_EDITOR)
    ),
    *(
        RoleGrant(role=role, permissions=("messaging.settle_delivery", "messaging.steer_digest"))
        for role in (roles.SENIOR_AGENT, roles.SERVICE_LEAD)
    ),
    *(
        RoleGrant(role=role, permissions=("messaging.reply_in_sandbox",))
        for role in (*roles.MARKETING, *roles.SERVICE, roles.OPERATIONS)
    ),
    *(RoleGrant(role=role, permissions=("messaging.change_digestwish",)) for role in roles.SERVICE),
    RoleGrant(
        role=roles.OPERATIONS,
        permissions=(
            "messaging.control_dispatch",
            "messaging.settle_delivery",
            "messaging.steer_digest",
            *STEER,
            "messaging.view_provideraccount",
            "messaging.add_provideraccount",
            "messaging.change_provideraccount",
            "messaging.view_senderidentity",
            "messaging.add_senderidentity",
            "messaging.change_senderidentity",
            "messaging.view_sendingpolicy",
            "messaging.change_sendingpolicy",
        ),
    ),
    RoleGrant(role=roles.ADMINISTRATOR, permissions=STEER),
]


def register() -> None:
    """Hand the messaging app's grants to the registry."""
    role_grants.register("messaging", GRANTS)
