"""The staff app's entries in the sidebar."""

from django.utils.translation import gettext_lazy as _

from notifyhub.core.registry import NavItem, navigation

# name, title, icon, permission
SYSTEM = [
    ("staff_user", _("Staff"), "badge", "staff.view_user"),
    ("staff_team", _("Teams"), "groups", "staff.view_team"),
    ("staff_role", _("Roles"), "shield_person", "staff.view_role"),
    ("staff_apikey", _("API keys"), "key", "staff.view_apikey"),
    ("staff_job", _("Jobs"), "pending_actions", "staff.view_job"),
    ("staff_auditentry", _("Audit trail"), "policy", "staff.view_auditentry"),
]


def register() -> None:
    """Hand the staff app's pages to the sidebar."""
    for order, (name, title, icon, permission) in enumerate(SYSTEM):
        item = NavItem(
            section="system",
            title=title,
            icon=icon,
            url_name=f"admin:{name}_changelist",
            permission=permission,
        )
        navigation.register(name, item, order=200 + order)
    navigation.register(
        "periodic_tasks",
        NavItem(
            section="schedules",
            title=_("Periodic tasks"),
            icon="schedule",
            url_name="admin:django_celery_beat_periodictask_changelist",
            permission="django_celery_beat.view_periodictask",
        ),
        order=190,
    )
    navigation.register(
        "calendars",
        NavItem(
            section="schedules",
            title=_("Calendars"),
            icon="calendar_month",
            url_name="admin:staff_businesscalendar_changelist",
            permission="staff.view_businesscalendar",
        ),
        order=180,
    )
