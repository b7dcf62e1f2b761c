"""Which days are working days: weekdays, and the days on which the year decides otherwise."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class BusinessCalendar(models.Model):
    """A calendar of working days. Its weekdays hold unless a day of its own says otherwise."""

    class Weekday(models.IntegerChoices):
        """Days of the week by ISO 8601 number."""

        MONDAY = 1, _("Monday")
        TUESDAY = 2, _("Tuesday")
        WEDNESDAY = 3, _("Wednesday")
        THURSDAY = 4, _("Thursday")
        FRIDAY = 5, _("Friday")
        SATURDAY = 6, _("Saturday")
        SUNDAY = 7, _("Sunday")

    key = models.SlugField(_("key"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(choices=Weekday),
        default=list,
        verbose_name=_("working weekdays"),
    )
    default = models.BooleanField(_("default"), default=False)
    # Up to which year the public holidays that come with the house were filled in, if they ever were.
    filled_to = models.PositiveSmallIntegerField(_("filled up to"), null=True, editable=False)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("business calendar")
        verbose_name_plural = _("business calendars")
        ordering = ["-default", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["default"], name="staff_calendar_one_default", condition=Q(default=True)
            )
        ]

    def __str__(self) -> str:
        # The one that comes with the house has a name in both languages.
        return gettext(self.name)


class CalendarDay(models.Model):
    """A day that is not what its weekday says: a holiday, or a working day made up for one."""

    calendar = models.ForeignKey(
        BusinessCalendar, models.CASCADE, related_name="days", verbose_name=_("calendar")
    )
    day = models.DateField(_("day"))
    works = models.BooleanField(_("working day"), default=False)
    name = models.CharField(_("name of the day"), max_length=60, blank=True)

    class Meta:
        verbose_name = _("calendar day")
        verbose_name_plural = _("calendar days")
        ordering = ["day"]
        constraints = [models.UniqueConstraint(fields=["calendar", "day"], name="staff_calendarday_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.name}".strip()
