"""What customers ordered and did, as the platform told us."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models.customer import Customer


class Order(models.Model):
    """An order, booking or bill as last told by events, API or import; never edited by hand.

    Amounts are in `currency`. `told_at` is when the platform made the statement we keep: an older one that
    comes late does not overwrite it.
    """

    class Line(models.TextChoices):
        FOOD = "food", _("Food")
        HOTEL = "hotel", _("Hotel")
        TRAVEL = "travel", _("Travel")
        OTHER = "other", _("Other")

    class State(models.TextChoices):
        PLACED = "placed", _("Placed")
        PAID = "paid", _("Paid")
        CONFIRMED = "confirmed", _("Confirmed")
        UNDER_WAY = "under_way", _("Under way")
        COMPLETED = "completed", _("Completed")
        CANCELLED = "cancelled", _("Cancelled")
        REFUND_ASKED = "refund_asked", _("Refund asked")
        REFUNDED = "refunded", _("Refunded")
        DISPUTED = "disputed", _("Disputed")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders", verbose_name=_("customer"))
    number = models.CharField(_("order number"), max_length=64, unique=True)
    line = models.CharField(_("business line"), max_length=10, choices=Line)
    merchant = models.CharField(_("merchant"), max_length=120, blank=True)
    city = models.CharField(_("city"), max_length=60, blank=True)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.PLACED)
    currency = models.CharField(_("currency"), max_length=3, default="CNY")
    amount_due = models.DecimalField(_("amount due"), max_digits=12, decimal_places=2, default=0)
    amount_paid = models.DecimalField(_("amount paid"), max_digits=12, decimal_places=2, default=0)
    amount_refunded = models.DecimalField(_("amount refunded"), max_digits=12, decimal_places=2, default=0)
    placed_at = models.DateTimeField(_("placed at"), null=True)
    due_at = models.DateTimeField(_("payment due"), null=True)
    starts_at = models.DateTimeField(_("check-in or departure"), null=True)
    promised_at = models.DateTimeField(_("promised for"), null=True)
    fulfilled_at = models.DateTimeField(_("fulfilled at"), null=True)
    told_at = models.DateTimeField(_("told at"))
    # When each of the facts above was told, so that each follows the statement that was made last about it.
    told = models.JSONField(_("told when"), default=dict)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["customer", "-placed_at"], name="customers_order_customer"),
            # For reminder rules that look ahead by a date.
            models.Index(
                fields=["due_at"], name="customers_order_due", condition=models.Q(due_at__isnull=False)
            ),
            models.Index(
                fields=["starts_at"],
                name="customers_order_starts",
                condition=models.Q(starts_at__isnull=False),
            ),
            models.Index(
                fields=["promised_at"],
                name="customers_order_promised",
                condition=models.Q(promised_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def subject(self) -> str:
        """Return how holds, cases and dispatches name this order."""
        return f"order:{self.number}"


class EventKey(models.Model):
    """The message ids of events received, so that a repeated event is taken once. Never partitioned."""

    message_id = models.CharField(_("message id"), max_length=120, primary_key=True)
    event_id = models.BigIntegerField(_("event"))
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("event key")
        verbose_name_plural = _("event keys")
        indexes = [models.Index(fields=["received_at"], name="customers_eventkey_age")]

    def __str__(self) -> str:
        return self.message_id


class Event(models.Model):
    """Something a customer did or that happened to their order.

    The table is partitioned by month of `received_at` (see the first migration), with primary key
    (received_at, id); Django only knows `id`. Queries should name the customer.
    """

    # The source of what this house itself tells (services.events.own).
    OWN = "own"

    id = models.BigAutoField(primary_key=True)
    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="events", verbose_name=_("customer"), db_index=False
    )
    name = models.CharField(_("event"), max_length=80)
    occurred_at = models.DateTimeField(_("occurred at"))
    received_at = models.DateTimeField(_("received at"))
    order_number = models.CharField(_("order number"), max_length=64, blank=True)
    properties = models.JSONField(_("properties"), default=dict)
    source = models.CharField(_("source"), max_length=40)
    message_id = models.CharField(_("message id"), max_length=120)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-occurred_at"]
        managed = True

    def __str__(self) -> str:
        return self.name


class EventBookmark(models.Model):
    """Up to which moment a reader has followed the events; moved in the transaction that deals with them."""

    name = models.CharField(_("name"), max_length=40, primary_key=True)
    upto = models.DateTimeField(_("read up to"))

    class Meta:
        verbose_name = _("event bookmark")
        verbose_name_plural = _("event bookmarks")

    def __str__(self) -> str:
        return f"{self.name} {self.upto:%F %T}"
