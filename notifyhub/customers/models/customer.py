"""Customers and the contact points where channels reach them."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from notifyhub.core.fields import EncryptedTextField
from notifyhub.staff.models import User
from notifyhub.staff.models.people import validate_time_zone


class Customer(models.Model):
    """A person we may talk to.

    A `provisional` one came from a call or an API request, not from the platform.
    """

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        MERGED = "merged", _("Merged")
        ERASED = "erased", _("Erased")

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    external_id = models.CharField(
        _("customer number"),
        max_length=64,
        unique=True,
        null=True,
        blank=True,
        help_text=_("The platform's id."),
    )
    name = models.CharField(_("name"), max_length=120, blank=True)
    locale = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="zh-hans")
    time_zone = models.CharField(
        _("time zone"), max_length=50, default=settings.TIME_ZONE, validators=[validate_time_zone]
    )
    city = models.CharField(_("city"), max_length=60, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True, verbose_name=_("tags"))
    provisional = models.BooleanField(_("provisional"), default=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.ACTIVE)
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="merged_from",
        verbose_name=_("merged into"),
    )
    last_order_at = models.DateTimeField(_("last order"), null=True, blank=True)
    created_at = models.DateTimeField(_("customer since"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed at"), auto_now=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["-id"]
        permissions = [
            ("import_customer", gettext_noop("Can import customers")),
            ("export_customer", gettext_noop("Can export customers")),
            ("reveal_customer", gettext_noop("Can reveal phone and email")),
            ("merge_customer", gettext_noop("Can merge customers")),
        ]
        indexes = [
            # For the audience by city, in id order as the planner reads it.
            models.Index(fields=["city", "id"], name="customers_customer_city"),
            GinIndex(fields=["tags"], name="customers_customer_tags"),
            GinIndex(
                fields=["attributes"], name="customers_customer_attributes", opclasses=["jsonb_path_ops"]
            ),
            # For the list's filters, which look for the few among the many.
            models.Index(fields=["id"], name="customers_customer_provisional", condition=Q(provisional=True)),
            models.Index(fields=["id"], name="customers_customer_gone", condition=~Q(state="active")),
            # For search by the beginning of a name.
            models.Index(fields=["name"], name="customers_customer_name", opclasses=["text_pattern_ops"]),
        ]
        constraints = [
            models.CheckConstraint(
                name="customers_customer_merged_iff_target",
                condition=Q(state="merged", merged_into__isnull=False)
                | (~Q(state="merged") & Q(merged_into__isnull=True)),
            )
        ]

    def __str__(self) -> str:
        return self.name or self.external_id or str(_("Unnamed customer"))


class ContactPointQuerySet(models.QuerySet["ContactPoint"]):
    """Questions about contact points."""

    def masked(self) -> "ContactPointQuerySet":
        """Leave the value in the database: what lists and pages show is `masked`."""
        return self.defer("value").order_by("kind", "-primary", "id")


class ContactPoint(models.Model):
    """Where a channel reaches one customer.

    The value is encrypted; hashes find it, four digits hint at it.
    """

    class Kind(models.TextChoices):
        PHONE = "phone", _("Phone")
        EMAIL = "email", _("Email")
        PUSH = "push", _("App push")
        WECHAT = "wechat", _("WeChat")
        WECOM = "wecom", _("WeCom")
        DINGTALK = "dingtalk", _("DingTalk")

    class Invalid(models.TextChoices):
        HARD_BOUNCE = "hard_bounce", _("Bounced")
        NOT_IN_SERVICE = "not_in_service", _("Not in service")
        UNREGISTERED = "unregistered", _("App removed")
        MALFORMED = "malformed", _("Not a valid number or mailbox")
        UNVERIFIED = "unverified", _("Not verified")

    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="contact_points", verbose_name=_("customer")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    value = EncryptedTextField(_("value"))
    value_hash = models.BinaryField(_("look-up hash"), max_length=16)
    last7_hash = models.BinaryField(_("hash of the last seven digits"), max_length=16, null=True)
    last4 = models.CharField(_("last four"), max_length=4, blank=True)
    # What lists show, so that they need not decrypt: 138****1234, l***@mail.example.
    masked = models.CharField(_("masked"), max_length=120)
    primary = models.BooleanField(_("primary"), default=True)
    valid = models.BooleanField(_("valid"), default=True)
    invalid_reason = models.CharField(_("why invalid"), max_length=20, choices=Invalid, blank=True)
    invalid_since = models.DateTimeField(_("invalid since"), null=True, blank=True)
    key_id = models.CharField(_("key id"), max_length=20)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = ContactPointQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact point")
        verbose_name_plural = _("contact points")
        constraints = [
            models.UniqueConstraint(fields=["customer", "kind", "value_hash"], name="customers_contact_once"),
            # The planner joins "the" phone of a customer: there is at most one.
            models.UniqueConstraint(
                fields=["customer", "kind"], condition=Q(primary=True), name="customers_contact_one_primary"
            ),
        ]
        indexes = [
            models.Index(fields=["value_hash"], name="customers_contact_value"),
            models.Index(
                fields=["last7_hash"], name="customers_contact_last7", condition=Q(last7_hash__isnull=False)
            ),
            models.Index(fields=["last4"], name="customers_contact_last4", condition=~Q(last4="")),
            # For the list's filter of customers who cannot be reached.
            models.Index(
                fields=["customer"], name="customers_contact_invalid", condition=Q(valid=False, primary=True)
            ),
            # For the key rotation command.
            models.Index(fields=["key_id", "id"], name="customers_contact_key"),
        ]

    def __str__(self) -> str:
        return self.masked


class Merge(models.Model):
    """Two rows that were one person: what moved, so that it can be moved back."""

    kept = models.ForeignKey(Customer, models.PROTECT, related_name="merges", verbose_name=_("kept"))
    merged = models.ForeignKey(Customer, models.PROTECT, related_name="+", verbose_name=_("merged"))
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("at"), auto_now_add=True)
    moved = models.JSONField(_("what moved"), default=dict)
    undone_at = models.DateTimeField(_("undone at"), null=True)

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.merged_id} → {self.kept_id}"
