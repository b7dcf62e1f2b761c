"""The eleven roles of the house, and what the staff app grants them.

Each app registers its own grants under `core.registry.role_grants`; `services.roles` makes groups of them.
"""

from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import RoleGrant, role_grants

MARKETING_EDITOR = "marketing_editor"
CONTENT_EDITOR = "content_editor"
MARKETING_APPROVER = "marketing_approver"
AGENT = "agent"
SENIOR_AGENT = "senior_agent"
SERVICE_LEAD = "service_lead"
DEPARTMENT_MEMBER = "department_member"
QUALITY_REVIEWER = "quality_reviewer"
ANALYST = "analyst"
OPERATIONS = "operations"
ADMINISTRATOR = "administrator"

ROLES = {
    MARKETING_EDITOR: _("Marketing editor"),
    CONTENT_EDITOR: _("Content editor"),
    MARKETING_APPROVER: _("Marketing approver"),
    AGENT: _("Agent"),
    SENIOR_AGENT: _("Senior agent"),
    SERVICE_LEAD: _("Service lead"),
    DEPARTMENT_MEMBER: _("Department member"),
    QUALITY_REVIEWER: _("Quality reviewer"),
    ANALYST: _("Analyst"),
    OPERATIONS: _("Operations"),
    ADMINISTRATOR: _("Administrator"),
}

MARKETING = (MARKETING_EDITOR, CONTENT_EDITOR, MARKETING_APPROVER)
SERVICE = (AGENT, SENIOR_AGENT, SERVICE_LEAD)

GRANTS = [
    RoleGrant(
        role=ADMINISTRATOR,
        permissions=(
            "staff.view_user",
            "staff.add_user",
            "staff.change_user",
            "staff.view_team",
            "staff.add_team",
            "staff.change_team",
            "staff.view_auditentry",
            "staff.view_apikey",
            "staff.add_apikey",
            "staff.change_apikey",
            "staff.view_job",
            "staff.view_operations",
            "staff.view_role",
            "staff.change_role",
            "django_celery_beat.view_periodictask",
            "django_celery_beat.add_periodictask",
            "django_celery_beat.change_periodictask",
            "django_celery_beat.delete_periodictask",
            "django_celery_beat.view_intervalschedule",
            "django_celery_beat.add_intervalschedule",
            "django_celery_beat.view_crontabschedule",
            "django_celery_beat.add_crontabschedule",
        ),
    ),
    RoleGrant(
        role=OPERATIONS,
        permissions=(
            "staff.view_user",
            "staff.view_team",
            "staff.view_auditentry",
            "staff.view_apikey",
            "staff.view_job",
            "staff.view_operations",
        ),
    ),
    RoleGrant(role=SERVICE_LEAD, permissions=("staff.view_team",)),
    *(RoleGrant(role=role, permissions=("staff.view_businesscalendar",)) for role in ROLES),
    *(
        RoleGrant(role=role, permissions=("staff.add_businesscalendar", "staff.change_businesscalendar"))
        for role in (OPERATIONS, SERVICE_LEAD, MARKETING_APPROVER)
    ),
]


def register() -> None:
    """Hand the staff app's grants to the registry."""
    role_grants.register("staff", GRANTS)
