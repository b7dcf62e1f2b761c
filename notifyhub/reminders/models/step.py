"""The steps of a version."""

from datetime import time

from django.db import models
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from notifyhub.messaging.models import Template
from notifyhub.reminders.models.version import RuleVersion


class ReminderStep(models.Model):
    """One reminder: how far before or after its date, by which channels, and what is said.

    `chain` is that of messaging: [{"channel": "push", "wait": 3600, "until": "read"}, {"channel": "sms"}].
    With `repeat_days` it comes again every so many days, `repeat_max` times in all; the first is round 0.
    """

    class Unit(models.TextChoices):
        MINUTES = "minutes", _("minutes")
        HOURS = "hours", _("hours")
        DAYS = "days", _("days")

    class Side(models.TextChoices):
        BEFORE = "before", _("before")
        AFTER = "after", _("after")

    rule_version = models.ForeignKey(
        RuleVersion, models.CASCADE, related_name="steps", verbose_name=_("version of the rule")
    )
    number = models.PositiveSmallIntegerField(_("step"))
    amount = models.PositiveSmallIntegerField(_("how many"))
    unit = models.CharField(_("unit"), max_length=7, choices=Unit, default=Unit.DAYS)
    side = models.CharField(_("before or after"), max_length=6, choices=Side, default=Side.BEFORE)
    # For days: the hour on the customer's own clock. Hours and minutes count from the exact time.
    at_time = models.TimeField(_("at, customer's time"), default=time(10, 0))
    chain = models.JSONField(_("channels"), default=list)
    template = models.ForeignKey(Template, models.PROTECT, related_name="+", verbose_name=_("template"))
    repeat_days = models.PositiveSmallIntegerField(_("again every, days"), null=True, blank=True)
    repeat_max = models.PositiveSmallIntegerField(_("times in all"), default=1)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["rule_version", "number"], name="reminders_step_once"),
            models.CheckConstraint(
                name="reminders_step_repeats",
                condition=models.Q(repeat_days=None, repeat_max=1)
                | models.Q(repeat_days__gte=1, repeat_max__gte=2),
            ),
        ]

    def __str__(self) -> str:
        """Return the step in words: 3 days before, at 10:00."""
        before = self.side == self.Side.BEFORE
        if self.unit != self.Unit.DAYS:
            if not self.amount:
                return gettext("At that moment")
            if self.unit == self.Unit.MINUTES:
                words = (
                    ngettext("%(n)d minute before", "%(n)d minutes before", self.amount)
                    if before
                    else ngettext("%(n)d minute after", "%(n)d minutes after", self.amount)
                )
            else:
                words = (
                    ngettext("%(n)d hour before", "%(n)d hours before", self.amount)
                    if before
                    else ngettext("%(n)d hour after", "%(n)d hours after", self.amount)
                )
            return words % {"n": self.amount}
        at = {"n": self.amount, "time": f"{self.at_time:%H:%M}"}
        if not self.amount:
            return gettext("On the day, at %(time)s") % at
        words = (
            ngettext("%(n)d day before, at %(time)s", "%(n)d days before, at %(time)s", self.amount)
            if before
            else ngettext("%(n)d day after, at %(time)s", "%(n)d days after, at %(time)s", self.amount)
        )
        return words % at

    @property
    def at_once(self) -> bool:
        """Whether it goes out the moment its date is reached, without a day's hour to wait for."""
        return not self.amount and self.unit != self.Unit.DAYS
