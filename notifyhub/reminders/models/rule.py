"""The rule and its steps: what is reminded of, when, by which template, and what ends it."""

from datetime import time

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from notifyhub.core.flow import Flow
from notifyhub.customers.models import Order
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Template
from notifyhub.staff.models import Team, User


class ReminderRule(models.Model):
    """When to remind, counted from a date of an order or of a customer, and what ends it."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        ARCHIVED = "archived", _("Archived")

    FLOW = Flow(
        {
            State.DRAFT: frozenset({State.ACTIVE, State.ARCHIVED}),
            State.ACTIVE: frozenset({State.PAUSED}),
            State.PAUSED: frozenset({State.ACTIVE, State.ARCHIVED}),
            State.ARCHIVED: frozenset(),
        }
    )

    class Anchor(models.TextChoices):
        """The date a rule counts from."""

        ORDER_DUE = "order.due_at", _("Order: payment due")
        ORDER_STARTS = "order.starts_at", _("Order: check-in or departure")
        ORDER_PROMISED = "order.promised_at", _("Order: promised for")
        CUSTOMER_DATE = "customer.date", _("Customer: a date in the profile, every year")
        CUSTOMER_ONCE = "customer.once", _("Customer: a date in the profile, once")

    key = models.SlugField(_("key"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    anchor = models.CharField(_("counts from"), max_length=20, choices=Anchor)
    attribute = models.CharField(
        _("profile field"),
        max_length=40,
        blank=True,
        help_text=_("For a customer date: birthday, membership_ends …"),
    )
    lines = ArrayField(
        models.CharField(max_length=10, choices=Order.Line),
        default=list,
        blank=True,
        verbose_name=_("business lines"),
        help_text=_("Empty: all."),
    )
    stop_states = ArrayField(
        models.CharField(max_length=12, choices=Order.State),
        default=list,
        blank=True,
        verbose_name=_("stops when the order is"),
    )
    chain = ArrayField(
        models.CharField(max_length=10, choices=Channel), default=list, verbose_name=_("channels, best first")
    )
    grace_hours = models.PositiveSmallIntegerField(
        _("grace, hours"), default=12, help_text=_("Later than this it is skipped and not sent.")
    )
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("owner"))
    owner_team = models.ForeignKey(
        Team, models.PROTECT, null=True, related_name="+", verbose_name=_("owning team")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    planned_at = models.DateTimeField(_("last planned"), null=True)
    activated_at = models.DateTimeField(_("active since"), null=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("reminder rule")
        verbose_name_plural = _("reminder rules")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="reminders_rule_customer_date_named",
                condition=Q(anchor__startswith="customer.") & ~Q(attribute="")
                | ~Q(anchor__startswith="customer.") & Q(attribute=""),
                violation_error_message=_(
                    "Name the profile field for a customer date, and leave it empty otherwise."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def about_orders(self) -> bool:
        """Say whether the rule counts from an order's date."""
        return self.anchor.startswith("order.")


class ReminderStep(models.Model):
    """One reminder of a rule: how far before or after its date, and what is said."""

    class Unit(models.TextChoices):
        HOURS = "hours", _("hours")
        DAYS = "days", _("days")

    class Side(models.TextChoices):
        BEFORE = "before", _("before")
        AFTER = "after", _("after")

    rule = models.ForeignKey(ReminderRule, models.CASCADE, related_name="steps", verbose_name=_("rule"))
    number = models.PositiveSmallIntegerField(_("step"))
    amount = models.PositiveSmallIntegerField(_("how many"))
    unit = models.CharField(_("unit"), max_length=5, choices=Unit, default=Unit.DAYS)
    side = models.CharField(_("before or after"), max_length=6, choices=Side, default=Side.BEFORE)
    # For days: the hour on the customer's own clock. Hours count from the exact time and need none.
    at_time = models.TimeField(_("at, customer's time"), default=time(10, 0))
    template = models.ForeignKey(Template, models.PROTECT, related_name="+", verbose_name=_("template"))

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["rule", "number"], name="reminders_step_once")]

    def __str__(self) -> str:
        """Return the step in words: 3 days before, at 10:00."""
        before = self.side == self.Side.BEFORE
        if self.unit == self.Unit.HOURS:
            if not self.amount:
                return gettext("At that time")
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
