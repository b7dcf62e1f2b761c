"""What a customer allows, what must not be written to, what is paused."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from notifyhub.customers.models.customer import ContactPoint, Customer
from notifyhub.staff.models import User


class MessageClass(models.TextChoices):
    """The four classes of messages; what each obeys is in docs/adr/0002."""

    TRANSACTIONAL = "transactional", _("Transactional")
    SERVICE = "service", _("Service")
    PROMOTIONAL = "promotional", _("Promotional")
    INFORMATIONAL = "informational", _("Informational")


class Channel(models.TextChoices):
    """The ways to reach a customer; `CONTACT_KIND` says by which contact point."""

    EMAIL = "email", _("Email")
    SMS = "sms", _("SMS")
    PUSH = "push", _("App push")
    WECHAT = "wechat", _("WeChat")
    WECOM = "wecom", _("WeCom")
    DINGTALK = "dingtalk", _("DingTalk")
    INBOX = "inbox", _("App inbox")


CONTACT_KIND: dict[str, str | None] = {
    Channel.EMAIL: ContactPoint.Kind.EMAIL,
    Channel.SMS: ContactPoint.Kind.PHONE,
    Channel.PUSH: ContactPoint.Kind.PUSH,
    Channel.WECHAT: ContactPoint.Kind.WECHAT,
    Channel.WECOM: ContactPoint.Kind.WECOM,
    Channel.DINGTALK: ContactPoint.Kind.DINGTALK,
    Channel.INBOX: None,
}


class Topic(models.Model):
    """What a customer can subscribe to or leave; belongs to one message class."""

    class LegalBasis(models.TextChoices):
        CONTRACT = "contract", _("Needed for the contract")
        CONSENT = "consent", _("Consent")
        LEGAL_DUTY = "legal_duty", _("Legal duty")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    name_zh = models.CharField(_("Chinese name"), max_length=80, blank=True)
    message_class = models.CharField(_("message class"), max_length=15, choices=MessageClass)
    legal_basis = models.CharField(_("legal basis"), max_length=15, choices=LegalBasis)
    active = models.BooleanField(_("active"), default=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("topic")
        verbose_name_plural = _("topics")
        ordering = ["message_class", "name"]
        permissions = [("make_transactional_topic", gettext_noop("Can make a topic transactional"))]

    def __str__(self) -> str:
        if self.name_zh and (translation.get_language() or "").startswith("zh"):
            return self.name_zh
        return self.name


class Decision(models.TextChoices):
    OPT_IN = "in", _("Opted in")
    OPT_OUT = "out", _("Opted out")


class ConsentRecord(models.Model):
    """One opt-in or opt-out as it was given.

    Append-only: a trigger refuses UPDATE and DELETE, except while a customer is being erased.
    """

    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="consent_records", verbose_name=_("customer")
    )
    topic = models.ForeignKey(Topic, models.PROTECT, related_name="+", verbose_name=_("topic"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    decision = models.CharField(_("decision"), max_length=3, choices=Decision)
    given_at = models.DateTimeField(_("given at"))
    source = models.CharField(_("source"), max_length=40)
    policy_version = models.CharField(_("policy version"), max_length=40, blank=True)
    wording = models.TextField(_("wording"), blank=True)
    proof = models.CharField(_("proof"), max_length=200, blank=True)
    recorded_at = models.DateTimeField(_("recorded at"), auto_now_add=True)
    recorded_by = models.CharField(_("recorded by"), max_length=120)

    class Meta:
        verbose_name = _("consent record")
        verbose_name_plural = _("consent records")
        ordering = ["-id"]
        indexes = [models.Index(fields=["customer", "-id"], name="customers_record_customer")]

    def __str__(self) -> str:
        return f"{self.topic} {self.channel} {self.decision}"


class Consent(models.Model):
    """The current state of one topic on one channel; what the gates read."""

    customer = models.ForeignKey(
        Customer, models.CASCADE, related_name="consents", verbose_name=_("customer")
    )
    topic = models.ForeignKey(Topic, models.PROTECT, related_name="+", verbose_name=_("topic"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    decision = models.CharField(_("decision"), max_length=3, choices=Decision)
    given_at = models.DateTimeField(_("given at"))

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        permissions = [("change_consent_for_customer", gettext_noop("Can record a customer's consent"))]
        constraints = [
            models.UniqueConstraint(fields=["customer", "topic", "channel"], name="customers_consent_once")
        ]
        indexes = [
            # For the planner: all opt-ins of one topic and channel over a range of customers.
            models.Index(fields=["topic", "channel", "customer", "decision"], name="customers_consent_gate")
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.channel} {self.decision}"


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    """Questions about suppressions."""

    def in_force(self) -> "SuppressionQuerySet":
        """Keep those that were not lifted."""
        return self.filter(lifted_at=None)


class Suppression(models.Model):
    """A contact point that must not be written to. Holds only its keyed hash, so it outlives erasure."""

    class Reason(models.TextChoices):
        HARD_BOUNCE = "hard_bounce", _("Bounced")
        SPAM_COMPLAINT = "spam_complaint", _("Spam complaint")
        STOP = "stop", _("Replied STOP")
        ERASED = "erased", _("Erased on request")
        MANUAL = "manual", _("Entered by staff")

    class Scope(models.TextChoices):
        ALL = "all", _("Everything")
        PROMOTIONAL = "promotional", _("Promotional messages")

    kind = models.CharField(_("kind"), max_length=10, choices=ContactPoint.Kind)
    value_hash = models.BinaryField(_("look-up hash"), max_length=16)
    masked = models.CharField(_("contact point"), max_length=120)
    scope = models.CharField(_("scope"), max_length=12, choices=Scope, default=Scope.ALL)
    reason = models.CharField(_("reason"), max_length=15, choices=Reason)
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)
    lifted_at = models.DateTimeField(_("lifted at"), null=True, blank=True)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        ordering = ["-id"]
        constraints = [
            # Also the gate's index.
            models.UniqueConstraint(
                fields=["value_hash", "kind", "scope"],
                condition=Q(lifted_at=None),
                name="customers_suppression_in_force_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.masked} · {self.get_reason_display()}"


class HoldQuerySet(models.QuerySet["Hold"]):
    """Questions about holds."""

    def in_force(self, now: datetime) -> "HoldQuerySet":
        """Keep those that pause something at `now`."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=now), released_at=None)


class Hold(models.Model):
    """A pause on one customer, with reason, source and end.

    A subject hold (`scope_value` is like "order:H2611-4471-02") stops every class about that subject except
    security codes and the replies of its case; the other scopes stop promotional messages only.
    """

    class Scope(models.TextChoices):
        PROMOTIONS = "promotions", _("All promotions")
        TOPIC = "topic", _("One topic")
        CHANNEL = "channel", _("One channel")
        SUBJECT = "subject", _("One order or bill")

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="holds", verbose_name=_("customer"))
    scope = models.CharField(_("scope"), max_length=12, choices=Scope)
    scope_value = models.CharField(_("what is paused"), max_length=80, blank=True)
    reason = models.CharField(_("reason"), max_length=200)
    origin_kind = models.CharField(_("source"), max_length=40, default="staff")
    origin_id = models.CharField(_("source id"), max_length=60, blank=True)
    placed_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("placed by")
    )
    placed_at = models.DateTimeField(_("placed at"), auto_now_add=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)

    objects = HoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ["-id"]
        indexes = [
            # For the gates: holds in force over a range of customers.
            models.Index(
                fields=["customer", "scope"], name="customers_hold_in_force", condition=Q(released_at=None)
            )
        ]
        constraints = [
            models.CheckConstraint(
                name="customers_hold_scope_has_value",
                condition=Q(scope="promotions", scope_value="")
                | (~Q(scope="promotions") & ~Q(scope_value="")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} · {self.reason}"
