"""Messages that wait to be gathered into one, and how often customers want that."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from notifyhub.customers.models import Customer, Topic
from notifyhub.messaging.models.template import TemplateVersion


class DigestItem(models.Model):
    """One message that is not sent alone: it waits until its bucket closes and goes with others in a digest.

    `dispatch_id` and `delivery_id` name the message that was gathered; what it says lies with its dispatch
    item, encrypted, once. A bucket is a customer, a template, a topic and a chain; `closes_at` is by the
    customer's clock. Gathered ones name the digest's dispatch and the item of it that is their customer's.
    """

    class State(models.IntegerChoices):
        WAITING = 0, _("Waiting")
        GATHERED = 1, _("In a digest")
        DROPPED = 2, _("Left out")

    class Reason(models.TextChoices):
        """Why one was left out."""

        STOPPED = "stopped", _("No longer due")
        HOLD = "hold", _("On hold")
        EXPIRED = "expired", _("Expired")
        CANCELLED = "cancelled", _("Cancelled")
        BY_STAFF = "by_staff", _("Dropped by a person")
        ERASED = "erased", _("The customer was erased")

    class Every(models.TextChoices):
        HOUR = "hour", _("Hourly")
        DAY = "day", _("Daily")
        WEEK = "week", _("Weekly")

    dispatch_id = models.BigIntegerField(_("dispatch"))
    delivery_id = models.BigIntegerField(_("message"))
    item = models.BigIntegerField(_("dedup key"))
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+", verbose_name=_("customer"))
    topic = models.ForeignKey(Topic, models.PROTECT, related_name="+", verbose_name=_("topic"))
    template_version = models.ForeignKey(
        TemplateVersion, models.PROTECT, related_name="+", verbose_name=_("template version")
    )
    subject_ref = models.CharField(_("subject"), max_length=80, blank=True)
    every = models.CharField(_("gathered"), max_length=4, choices=Every)
    by_wish = models.BooleanField(_("by the customer's wish"), default=False, db_default=False)
    at = models.DateTimeField(_("at"))
    closes_at = models.DateTimeField(_("closes at"))
    state = models.SmallIntegerField(_("state"), choices=State, default=State.WAITING, db_default=0)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason, default="", db_default="")
    settled_at = models.DateTimeField(_("settled at"), null=True)
    digest_id = models.BigIntegerField(_("digest"), null=True)
    digest_item = models.BigIntegerField(_("digest item"), null=True)

    class Meta:
        verbose_name = _("gathered message")
        verbose_name_plural = _("gathered messages")
        ordering = ["at", "id"]
        permissions = [("steer_digest", gettext_noop("Can send now or drop what waits to be gathered"))]
        constraints = [
            # A message is gathered once, and stands in one digest: there is one row, and it names one.
            models.UniqueConstraint(fields=["dispatch_id", "item"], name="messaging_digestitem_once"),
            models.CheckConstraint(
                name="messaging_digestitem_has_digest",
                condition=Q(state=1, digest_id__isnull=False, digest_item__isnull=False) | ~Q(state=1),
            ),
        ]
        indexes = [
            # For the tick.
            models.Index(fields=["closes_at"], name="messaging_digestitem_due", condition=Q(state=0)),
            # For the customer's page, and for closing by ranges of customers.
            models.Index(
                fields=["customer", "closes_at"], name="messaging_digestitem_wait", condition=Q(state=0)
            ),
            # From a digest to what it gathered.
            models.Index(
                fields=["digest_id", "digest_item"],
                name="messaging_digestitem_of",
                condition=Q(digest_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dispatch_id}-{self.delivery_id}"

    @property
    def reference(self) -> str:
        """Return the name of the message that was gathered."""
        return f"{self.dispatch_id}-{self.delivery_id}"


class DigestWish(models.Model):
    """How one customer wants the messages of a topic; without a row the template decides."""

    class Wish(models.TextChoices):
        TEMPLATE = "template", _("As the sender chose")
        AT_ONCE = "at_once", _("At once")
        DAY = "day", _("Daily")
        WEEK = "week", _("Weekly")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="+", verbose_name=_("topic"))
    wish = models.CharField(_("wish"), max_length=8, choices=Wish)
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("digest wish")
        verbose_name_plural = _("digest wishes")
        constraints = [
            models.UniqueConstraint(fields=["customer", "topic"], name="messaging_digestwish_once")
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}/{self.topic_id} {self.wish}"


class DigestWishRecord(models.Model):
    """One time that a wish was told: who wrote it down, and where it was told. Append-only."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))
    topic = models.ForeignKey(Topic, models.CASCADE, related_name="+", verbose_name=_("topic"))
    wish = models.CharField(_("wish"), max_length=8, choices=DigestWish.Wish)
    at = models.DateTimeField(_("at"))
    source = models.CharField(_("source"), max_length=40)
    proof = models.CharField(_("proof"), max_length=200, blank=True)
    recorded_by = models.CharField(_("recorded by"), max_length=120, blank=True)

    class Meta:
        verbose_name = _("record of a digest wish")
        verbose_name_plural = _("records of digest wishes")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["customer", "-at"], name="messaging_digestwish_told")]

    def __str__(self) -> str:
        return f"{self.customer_id}/{self.topic_id} {self.wish} {self.at:%F}"
