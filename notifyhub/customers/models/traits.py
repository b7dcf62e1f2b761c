"""What is computed about each customer from orders and reactions, and by which thresholds."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from simple_history.models import HistoricalRecords

from notifyhub.customers.models.activity import Order
from notifyhub.customers.models.consent import Channel
from notifyhub.customers.models.customer import Customer


class Stage(models.TextChoices):
    """Where a customer stands in their life with us."""

    NEW = "new", pgettext_lazy("life-cycle stage", "New")
    ACTIVE = "active", pgettext_lazy("life-cycle stage", "Active")
    COOLING = "cooling", pgettext_lazy("life-cycle stage", "Cooling")
    ASLEEP = "asleep", pgettext_lazy("life-cycle stage", "Asleep")
    LOST = "lost", pgettext_lazy("life-cycle stage", "Lost")


class CustomerTrait(models.Model):
    """One wide row of one customer, refreshed by services.traits; each formula stands in words there.

    Null or empty is "not known": too few orders or reactions. Money is in `currency`, the one most of this
    customer's orders were in; orders in another one count as orders and not as money. `computed_at` is when
    the row was last written; that it was found unchanged later says its block (TraitBlock).
    """

    customer = models.OneToOneField(
        Customer, models.CASCADE, primary_key=True, related_name="traits", verbose_name=_("customer")
    )
    stage = models.CharField(_("life-cycle stage"), max_length=8, choices=Stage)
    last_seen_at = models.DateTimeField(_("last seen"), null=True)
    first_order_at = models.DateTimeField(_("first order"), null=True)
    last_order_at = models.DateTimeField(_("last order"), null=True)
    orders_30 = models.IntegerField(_("orders, 30 days"), default=0)
    orders_90 = models.IntegerField(_("orders, 90 days"), default=0)
    orders_total = models.IntegerField(_("orders, ever"), default=0)
    order_gap_days = models.DecimalField(_("days between orders"), max_digits=7, decimal_places=1, null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    spend_30 = models.DecimalField(_("spend, 30 days"), max_digits=14, decimal_places=2, default=0)
    spend_90 = models.DecimalField(_("spend, 90 days"), max_digits=14, decimal_places=2, default=0)
    spend_total = models.DecimalField(_("spend, ever"), max_digits=14, decimal_places=2, default=0)
    average_basket = models.DecimalField(_("average basket"), max_digits=14, decimal_places=2, null=True)
    foreign_orders = models.IntegerField(_("orders in other currencies"), default=0)
    favourite_line = models.CharField(_("favourite category"), max_length=10, choices=Order.Line, blank=True)
    favourite_merchant = models.CharField(_("favourite merchant"), max_length=120, blank=True)
    favourite_hour = models.SmallIntegerField(_("favourite hour"), null=True)
    favourite_weekday = models.SmallIntegerField(_("favourite weekday"), null=True)
    last_city = models.CharField(_("city of the last order"), max_length=60, blank=True)
    best_channel = models.CharField(_("best channel"), max_length=10, choices=Channel, blank=True)
    best_hour = models.SmallIntegerField(_("best hour"), null=True)
    reactions = models.IntegerField(_("reactions"), default=0)
    computed_at = models.DateTimeField(_("computed at"))

    class Meta:
        verbose_name = _("portrait")
        verbose_name_plural = _("portraits")
        indexes = [
            # For segments of the few among the many; what is broad reads the table.
            models.Index(fields=["stage", "customer"], name="customers_trait_stage"),
            models.Index(
                F("spend_90"), "customer", name="customers_trait_spend_90", condition=Q(spend_90__gt=0)
            ),
            models.Index(F("spend_total"), "customer", name="customers_trait_spend"),
            models.Index(
                F("orders_90"), "customer", name="customers_trait_orders_90", condition=Q(orders_90__gt=0)
            ),
            models.Index(F("orders_total"), "customer", name="customers_trait_orders"),
            models.Index(fields=["last_order_at", "customer"], name="customers_trait_last_order"),
            models.Index(fields=["last_seen_at", "customer"], name="customers_trait_seen"),
            models.Index(fields=["favourite_merchant", "customer"], name="customers_trait_merchant"),
            models.Index(fields=["last_city", "customer"], name="customers_trait_city"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.stage}"


def _days(label: Any, default: int, help_text: Any) -> models.PositiveSmallIntegerField:
    return models.PositiveSmallIntegerField(
        label,
        default=default,
        help_text=help_text,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
    )


class TraitSettings(models.Model):
    """The thresholds of the formulas: one row, with history."""

    new_days = _days(_("new, days"), 30, _("Since the first order, or since we know the customer."))
    active_days = _days(_("active, days"), 45, _("Since the last order, at most."))
    cooling_days = _days(_("cooling, days"), 90, _("Since the last order, at most."))
    asleep_days = _days(_("asleep, days"), 180, _("Since the last order, at most. After that: lost."))
    favourite_orders = models.PositiveSmallIntegerField(
        _("a favourite needs, orders"),
        default=2,
        help_text=_("So often in 12 months, and more often than anything else."),
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    reaction_days = _days(_("reactions of the last, days"), 180, _("Older ones say little about today."))
    reaction_minimum = models.PositiveSmallIntegerField(
        _("a best channel or hour needs, reactions"),
        default=3,
        help_text=_("Messages read or clicked, at least."),
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    currency = models.CharField(
        _("currency of amounts in rules"),
        max_length=3,
        default="CNY",
        help_text=_("A rule about spend looks at customers who pay in it."),
        validators=[RegexValidator(r"^[A-Z]{3}\Z", _("Write the currency like CNY."))],
    )
    version = models.PositiveIntegerField(_("version"), default=1)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("portrait thresholds")
        verbose_name_plural = _("portrait thresholds")
        constraints = [
            models.CheckConstraint(
                name="customers_traitsettings_stages_in_order",
                condition=Q(active_days__lt=F("cooling_days")) & Q(cooling_days__lt=F("asleep_days")),
            ),
            models.CheckConstraint(name="customers_traitsettings_one_row", condition=Q(id=1)),
        ]

    def __str__(self) -> str:
        return str(_("Portrait thresholds"))


class TraitBlock(models.Model):
    """A range of customer ids and when all of them were last computed; `upto` is the highest id it had."""

    number = models.IntegerField(_("number"), primary_key=True)
    upto = models.BigIntegerField(_("up to"))
    refreshed_at = models.DateTimeField(_("refreshed at"), null=True)

    class Meta:
        verbose_name = _("block of portraits")
        verbose_name_plural = _("blocks of portraits")
        indexes = [models.Index(F("refreshed_at").asc(nulls_first=True), name="customers_traitblock_due")]

    def __str__(self) -> str:
        return f"{self.number}"
