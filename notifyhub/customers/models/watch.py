"""Rules that watch the events, what they saw, and the alerts they raised."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from notifyhub.core.flow import Flow
from notifyhub.customers.models.customer import Customer
from notifyhub.staff.models import Team, User


def _names(title: Any) -> Any:
    return ArrayField(models.CharField(max_length=80), default=list, blank=True, verbose_name=title)


class WatchRuleQuerySet(models.QuerySet["WatchRule"]):
    """Questions about watch rules."""

    def active(self) -> "WatchRuleQuerySet":
        """Keep those that watch."""
        return self.filter(state=WatchRule.State.ACTIVE)


class WatchRule(models.Model):
    """What should not happen, and what is done when it does.

    `first`, `second` and `unless` are names of events; what they mean depends on the kind. `definition` rises
    with each change of what is watched; `loaded` is the definition by which the sightings at hand were made,
    and events received after `defined_at` are judged by it.
    """

    class Kind(models.TextChoices):
        TWICE = "twice", _("The same thing twice")
        AFTER = "after", _("Something after what should have ended it")
        BURST = "burst", _("Too many at once")
        MISSING = "missing", _("Something that does not follow")

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

    class Scope(models.TextChoices):
        ORDER = "order", _("the same order")
        CUSTOMER = "customer", _("the same customer")

    name = models.CharField(_("name"), max_length=120, unique=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    first = _names(_("event"))
    second = _names(_("second event"))
    unless = _names(_("unless there was"))
    scope = models.CharField(_("about"), max_length=10, choices=Scope, default=Scope.ORDER)
    properties = ArrayField(
        models.CharField(max_length=60), default=list, blank=True, verbose_name=_("properties that are equal")
    )
    count = models.PositiveIntegerField(_("how many"), default=2)
    minutes = models.PositiveIntegerField(_("within, minutes"), default=60)
    holds = models.BooleanField(_("stop messages about these orders"), default=False)
    hold_hours = models.PositiveIntegerField(_("for, hours"), null=True, blank=True)
    tell_team = models.ForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("team to be told")
    )
    tell_role = models.CharField(_("role to be told"), max_length=40, blank=True)
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("owner"))
    owner_team = models.ForeignKey(
        Team, models.PROTECT, null=True, related_name="+", verbose_name=_("owning team")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    definition = models.PositiveIntegerField(_("definition"), default=1)
    defined_at = models.DateTimeField(_("watches since"), null=True)
    loaded = models.PositiveIntegerField(_("definition at work"), null=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    objects = WatchRuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("watch rule")
        verbose_name_plural = _("watch rules")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="customers_watchrule_tells_somebody",
                condition=Q(tell_team__isnull=False) | ~Q(tell_role=""),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def window(self) -> timedelta:
        """Return how far apart what belongs together may lie."""
        return timedelta(minutes=self.minutes)


class WatchSighting(models.Model):
    """An event that a rule looks at, under the key by which it belongs to others. Working memory only.

    `due_at` is when to look whether what should follow did; empty when that is over, or not asked.
    """

    class Role(models.IntegerChoices):
        FIRST = 1, _("event")
        SECOND = 2, _("second event")
        UNLESS = 3, _("unless there was")

    rule = models.ForeignKey(WatchRule, models.CASCADE, related_name="+", verbose_name=_("rule"))
    key = models.CharField(_("key"), max_length=200)
    role = models.PositiveSmallIntegerField(_("part"), choices=Role)
    occurred_at = models.DateTimeField(_("occurred at"))
    message_id = models.CharField(_("message id"), max_length=120)
    event_id = models.BigIntegerField(_("event"))
    name = models.CharField(_("event name"), max_length=80)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))
    order_number = models.CharField(_("order number"), max_length=64, blank=True)
    due_at = models.DateTimeField(_("looked at"), null=True)

    class Meta:
        verbose_name = _("sighting")
        verbose_name_plural = _("sightings")
        constraints = [
            models.UniqueConstraint(fields=["rule", "message_id"], name="customers_watchsighting_once")
        ]
        indexes = [
            models.Index(fields=["rule", "key", "occurred_at"], name="customers_watchsighting_key"),
            # For what should have followed by now.
            models.Index(
                fields=["due_at"], name="customers_watchsighting_due", condition=Q(due_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.key}"


class AlertQuerySet(models.QuerySet["Alert"]):
    """Questions about alerts."""

    def open(self) -> "AlertQuerySet":
        """Keep those that wait for somebody."""
        return self.filter(state=Alert.State.OPEN)

    def about(self, customer_id: int | None, order_number: str = "") -> "AlertQuerySet":
        """Keep those that a customer's events, or those of an order, are part of."""
        said = Q(pk__in=[])
        if customer_id is not None:
            said |= Q(customer_id=customer_id)
        if order_number:
            said |= Q(order_number=order_number)
        return self.filter(pk__in=AlertEvent.objects.filter(said).values("alert_id"))


class Alert(models.Model):
    """Findings of one rule that came together, told to staff once.

    `facts` is the rule as it was, so that the sentence stays true when the rule changes. `group` is the
    value that a burst has in common; other kinds gather whatever they find within the hour.
    """

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("alert", "Open")
        HANDLED = "handled", _("Handled")
        DISMISSED = "dismissed", _("Not a problem")
        SETTLED = "settled", _("Settled by itself")

    FLOW = Flow(
        {
            State.OPEN: frozenset({State.HANDLED, State.DISMISSED, State.SETTLED}),
            State.SETTLED: frozenset({State.OPEN}),
        }
    )

    rule = models.ForeignKey(WatchRule, models.CASCADE, related_name="alerts", verbose_name=_("rule"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.OPEN)
    group = models.CharField(_("in common"), max_length=200, blank=True)
    facts = models.JSONField(_("rule as it was"), default=dict)
    found = models.PositiveIntegerField(_("findings"), default=0)
    people = models.PositiveIntegerField(_("customers"), default=0)
    first_at = models.DateTimeField(_("first"), null=True)
    last_at = models.DateTimeField(_("last"), null=True)
    raised_at = models.DateTimeField(_("raised at"))
    grew_at = models.DateTimeField(_("grew at"))
    decided_at = models.DateTimeField(_("decided at"), null=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    note = models.CharField(_("note"), max_length=500, blank=True)
    muted_until = models.DateTimeField(_("muted until"), null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        indexes = [
            # For the badge, and for what may still grow.
            models.Index(fields=["rule", "group"], name="customers_alert_open", condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    def muted(self, now: datetime) -> bool:
        """Say whether findings of the same key are kept quiet at `now`."""
        return bool(self.muted_until and self.muted_until > now)


class WatchFinding(models.Model):
    """That a rule applies to one event, each event once, whatever the order in which events came.

    `standing` says whether it still does: what was missing may turn out to have come in time. The evidence
    lies between `since_at` and `occurred_at`.
    """

    rule = models.ForeignKey(WatchRule, models.CASCADE, related_name="findings", verbose_name=_("rule"))
    alert = models.ForeignKey(
        Alert, models.CASCADE, null=True, related_name="findings", verbose_name=_("alert")
    )
    message_id = models.CharField(_("message id"), max_length=120)
    key = models.CharField(_("key"), max_length=200)
    since_at = models.DateTimeField(_("since"))
    occurred_at = models.DateTimeField(_("occurred at"))
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))
    standing = models.BooleanField(_("stands"), default=True)
    muted = models.BooleanField(_("kept quiet"), default=False)

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        constraints = [
            models.UniqueConstraint(fields=["rule", "message_id"], name="customers_watchfinding_once")
        ]
        indexes = [
            # For what no alert tells of yet.
            models.Index(fields=["rule"], name="customers_watchfinding_new", condition=Q(alert=None)),
        ]

    def __str__(self) -> str:
        return self.key


class AlertEvent(models.Model):
    """An event that an alert rests on, kept with it when the events themselves are gone."""

    alert = models.ForeignKey(Alert, models.CASCADE, related_name="events", verbose_name=_("alert"))
    key = models.CharField(_("key"), max_length=200)
    message_id = models.CharField(_("message id"), max_length=120)
    name = models.CharField(_("event name"), max_length=80)
    occurred_at = models.DateTimeField(_("occurred at"))
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))
    order_number = models.CharField(_("order number"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("event of an alert")
        verbose_name_plural = _("events of an alert")
        ordering = ["occurred_at", "message_id"]
        constraints = [
            models.UniqueConstraint(fields=["alert", "message_id"], name="customers_alertevent_once")
        ]
        # For finding the alerts about an order.
        indexes = [models.Index(fields=["order_number"], name="customers_alertevent_order")]

    def __str__(self) -> str:
        return self.name


class WatchMute(models.Model):
    """A key of which somebody said that it is no problem; findings of it stay quiet for a while."""

    rule = models.ForeignKey(WatchRule, models.CASCADE, related_name="mutes", verbose_name=_("rule"))
    key = models.CharField(_("key"), max_length=200)
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="mutes", verbose_name=_("alert"))
    until = models.DateTimeField(_("until"))

    class Meta:
        verbose_name = _("muted key")
        verbose_name_plural = _("muted keys")
        constraints = [models.UniqueConstraint(fields=["rule", "key"], name="customers_watchmute_once")]

    def __str__(self) -> str:
        return self.key
