"""What the customers app grants to each role."""

from notifyhub.core.registry import RoleGrant, role_grants
from notifyhub.staff import roles

VIEW = (
    "customers.view_customer",
    "customers.view_order",
    "customers.view_topic",
    "customers.view_segment",
    "customers.view_hold",
)

# An alert names customers and orders; who works with neither only sees that rules exist.
WATCH_VIEW = ("customers.view_watchrule", "customers.view_alert")
WATCH_WRITE = ("customers.add_watchrule", "customers.change_watchrule", "customers.change_alert")

GRANTS = [
    *(
        RoleGrant(role=role, permissions=WATCH_VIEW)
        for role in (*roles.SERVICE, roles.OPERATIONS, roles.QUALITY_REVIEWER, roles.ANALYST)
    ),
    *(RoleGrant(role=role, permissions=WATCH_WRITE) for role in (roles.SERVICE_LEAD, roles.OPERATIONS)),
    RoleGrant(role=roles.SENIOR_AGENT, permissions=("customers.change_alert",)),
    *(RoleGrant(role=role, permissions=VIEW) for role in (*roles.MARKETING, *roles.SERVICE, roles.ANALYST)),
    *(RoleGrant(role=role, permissions=VIEW) for role in (roles.OPERATIONS, roles.QUALITY_REVIEWER)),
    RoleGrant(
        role=roles.MARKETING_EDITOR,
        permissions=("customers.add_segment", "customers.change_segment", "customers.import_customer"),
    ),
    *(
        RoleGrant(role=role, permissions=("customers.view_traitsettings",))
        for role in (*roles.MARKETING, roles.ANALYST, roles.OPERATIONS)
    ),
    *(
        RoleGrant(role=role, permissions=("customers.change_traitsettings",))
        for role in (roles.MARKETING_EDITOR, roles.OPERATIONS)
    ),
    *(
        RoleGrant(
            role=role,
            permissions=(
                "customers.add_customer",
                "customers.change_customer",
                "customers.reveal_customer",
                "customers.change_consent",
                "customers.add_hold",
                "customers.change_hold",
            ),
        )
        for role in roles.SERVICE
    ),
    *(
        RoleGrant(role=role, permissions=("customers.view_eventname", "customers.view_eventmapping"))
        for role in (*roles.MARKETING, roles.SERVICE_LEAD, roles.ANALYST, roles.OPERATIONS)
    ),
    *(
        RoleGrant(role=role, permissions=("customers.change_eventname",))
        for role in (roles.MARKETING_EDITOR, roles.ANALYST, roles.OPERATIONS)
    ),
    *(
        RoleGrant(role=role, permissions=("customers.view_parkedevent", "customers.view_eventpolicy"))
        for role in (roles.SERVICE_LEAD, roles.ANALYST, roles.OPERATIONS)
    ),
    RoleGrant(role=roles.SERVICE_LEAD, permissions=("customers.merge_customer",)),
    RoleGrant(
        role=roles.OPERATIONS,
        permissions=(
            "customers.import_customer",
            "customers.add_event",
            "customers.change_parkedevent",
            "customers.change_eventpolicy",
            "customers.add_eventmapping",
            "customers.change_eventmapping",
            "customers.export_customer",
            "customers.merge_customer",
            "customers.add_topic",
            "customers.change_topic",
            "customers.make_transactional_topic",
            "customers.delete_customer",
            "customers.view_suppression",
            "customers.add_suppression",
            "customers.change_suppression",
        ),
    ),
]


def register() -> None:
    """Hand the customers app's grants to the registry."""
    role_grants.register("customers", GRANTS)
