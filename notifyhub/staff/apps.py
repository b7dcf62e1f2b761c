"""The staff app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class StaffConfig(AppConfig):
    """Opens the staff app's roads to the registries."""

    name = "notifyhub.staff"
    label = "staff"
    verbose_name = _("Staff")

    def ready(self) -> None:
        from notifyhub.staff import demo, doctor, navigation, nodes, openapi, periodic, roles
        from notifyhub.staff.services.calendars import fill_calendar_after_migrate
        from notifyhub.staff.services.roles import sync_roles_after_migrate
        from notifyhub.staff.services.schedule import schedule_after_migrate

        roles.register()
        navigation.register()
        openapi.register()
        periodic.register()
        doctor.register()
        nodes.register()
        demo.register()
        # Permissions exist only after migrate, so groups cannot be made by a data migration; and the
        # bell's interval follows the settings of the day.
        post_migrate.connect(sync_roles_after_migrate)
        post_migrate.connect(schedule_after_migrate, sender=self)
        post_migrate.connect(fill_calendar_after_migrate, sender=self)
