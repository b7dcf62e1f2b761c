"""Beat's own rows under the theme, guarded: administrators, allow-listed tasks, no arguments."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from notifyhub.core.admin import ServiceAdmin
from notifyhub.core.templatetags.nh import chip
from notifyhub.staff.services import audit
from notifyhub.staff.services.schedule import (
    ALLOWED,
    delete_periodic_task,
    is_own,
    save_periodic_task,
)

# The library registers its own pages, which let a form run any task with any arguments.
for model in (PeriodicTask, IntervalSchedule, CrontabSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(model)


class PeriodicTaskForm(forms.ModelForm):
    """A task from the list, and when to ring for it."""

    task = forms.ChoiceField(
        label=gettext_lazy("Task"), choices=lambda: list(ALLOWED.items()), widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = PeriodicTask
        fields = ("name", "task", "enabled", "interval", "crontab", "description")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and is_own(self.instance):
            self.fields.pop("task", None)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ServiceAdmin):
    """What beat rings for, and when."""

    form = PeriodicTaskForm
    fields = ("name", "task", "enabled", "interval", "crontab", "description")
    list_display = ("name", "words", "rhythm", "state")
    list_filter = ("enabled",)
    list_select_related = ("interval", "crontab", "clocked", "solar")
    search_fields = ("name",)
    ordering = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and is_own(obj):
            return ("name", "words", "interval", "crontab", "description")
        return ("words",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        writes = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        if obj is not None and (is_own(obj) or not writes):
            return ("name", "words", "enabled", "interval", "crontab", "description")
        return self.fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # ServiceAdmin never deletes; here the page for it goes through a service.
        return (obj is None or not is_own(obj)) and request.user.has_perm(
            "django_celery_beat.delete_periodictask"
        )

    def create_object(self, request: HttpRequest, data: dict[str, Any]) -> Any:
        return save_periodic_task(row=PeriodicTask(), changes=data)

    def update_object(
        self, request: HttpRequest, obj: Any, changes: dict[str, Any], version: int | None
    ) -> None:
        save_periodic_task(row=obj, changes=changes)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_periodic_task(row=obj)

    @display(description=gettext_lazy("task"), ordering="task")
    def words(self, row: PeriodicTask) -> str:
        return str(ALLOWED.get(row.task, row.task))

    @display(description=gettext_lazy("when"))
    def rhythm(self, row: PeriodicTask) -> str:
        return str(row.interval or row.crontab or row.clocked or row.solar or "—")

    @display(description=gettext_lazy("state"), ordering="enabled")
    def state(self, row: PeriodicTask) -> SafeString:
        return chip(_("On"), "green") if row.enabled else chip(_("Off"), "grey")


class ScheduleAdmin(ModelAdmin):
    """A rhythm to choose from. It is added and then stays: rows that use it would change unseen."""

    list_per_page = 25
    actions = None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        audit.record(verb="create_schedule", obj=obj)


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ScheduleAdmin):
    """Every so many seconds, minutes, hours or days."""

    list_display = ("__str__", "every", "period")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ScheduleAdmin):
    """At times of the clock and the calendar."""

    list_display = ("__str__", "timezone")
    fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone")
