"""By whom it is sent: accounts with vendors, sender identities, policy. Rows with history, never settings."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from simple_history.models import HistoricalRecords

from notifyhub.core.fields import EncryptedTextField
from notifyhub.customers.models.consent import Channel, MessageClass


class OpensCases(models.TextChoices):
    """Which replies that come in through an account are work for customer service."""

    SERVICE = "service", _("Replies to transactional and service messages")
    ALL = "all", _("All replies")
    NONE = "none", _("No replies; the customer's timeline has them")


class ProviderAccount(models.Model):
    """One configured account of a backend (see channels.registry). `secrets` is a JSON object, encrypted."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    backend = models.CharField(_("backend"), max_length=40)
    config = models.JSONField(_("settings"), default=dict, blank=True)
    secrets = EncryptedTextField(_("secrets"), null=True, blank=True)
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=100, help_text=_("The lowest number is tried first.")
    )
    rate_per_second = models.PositiveIntegerField(_("messages a second"), default=1000)
    active = models.BooleanField(_("active"), default=True)
    open_from = models.TimeField(
        _("takes offers from"),
        null=True,
        blank=True,
        help_text=_("By the recipient's clock; vendors of SMS take promotions by day only."),
    )
    open_until = models.TimeField(_("takes offers until"), null=True, blank=True)
    opens_cases = models.CharField(
        _("open a case from replies"),
        max_length=8,
        choices=OpensCases,
        default=OpensCases.SERVICE,
        db_default=OpensCases.SERVICE,
    )
    version = models.PositiveIntegerField(_("version"), default=1)
    history = HistoricalRecords(excluded_fields=["secrets"])

    class Meta:
        verbose_name = _("provider account")
        verbose_name_plural = _("provider accounts")
        ordering = ["channel", "priority", "name"]

    def __str__(self) -> str:
        return self.name


def six_zeros() -> list[int]:
    """Return the counts of a minute in which nothing happened."""
    return [0] * 6


class AccountGate(models.Model):
    """The token bucket and the circuit of one account: one row, shared by all workers, kept over restarts.

    `answers` and `troubles` count the last minute by ten seconds, the newest first; `slot` says which ten
    seconds the first place stands for.
    """

    class Circuit(models.TextChoices):
        # A case is open in another word.
        CLOSED = "closed", pgettext_lazy("circuit", "Closed")
        OPEN = "open", pgettext_lazy("circuit", "Open")
        HALF_OPEN = "half_open", pgettext_lazy("circuit", "Half-open")

    account = models.OneToOneField(
        ProviderAccount, models.CASCADE, primary_key=True, related_name="gate", verbose_name=_("account")
    )
    tokens = models.FloatField(_("tokens"), default=0)
    refilled_at = models.DateTimeField(_("refilled at"), auto_now_add=True)
    circuit = models.CharField(_("circuit"), max_length=10, choices=Circuit, default=Circuit.CLOSED)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    retry_at = models.DateTimeField(_("next try"), null=True)
    slot = models.BigIntegerField(_("counted since"), default=0, db_default=0)
    answers = ArrayField(
        models.IntegerField(), default=six_zeros, db_default=[0] * 6, verbose_name=_("answers by ten seconds")
    )
    troubles = ArrayField(
        models.IntegerField(),
        default=six_zeros,
        db_default=[0] * 6,
        verbose_name=_("failures by ten seconds"),
    )
    opened_at = models.DateTimeField(_("cut off since"), null=True)
    trouble = models.CharField(_("last trouble"), max_length=200, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("account gate")
        verbose_name_plural = _("account gates")

    def __str__(self) -> str:
        return f"{self.account_id} {self.circuit}"


class SenderIdentity(models.Model):
    """Who a message says it is from."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    from_name = models.CharField(_("sender name"), max_length=80, blank=True)
    from_email = models.EmailField(_("sender mailbox"), blank=True)
    reply_to = models.EmailField(_("replies go to"), blank=True)
    signature = models.CharField(
        _("SMS signature"),
        max_length=20,
        blank=True,
        help_text=_("Shown as 【signature】; write it without brackets."),
    )
    classes = ArrayField(
        models.CharField(max_length=15, choices=MessageClass), default=list, verbose_name=_("message classes")
    )
    active = models.BooleanField(_("active"), default=True)
    version = models.PositiveIntegerField(_("version"), default=1)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("sender identity")
        verbose_name_plural = _("sender identities")
        ordering = ["channel", "name"]

    def __str__(self) -> str:
        return self.name


class SendingPolicy(models.Model):
    """What one message class may use: its channels, quiet hours and limits.

    The limits hold per customer over all channels together; a ChannelPolicy narrows them for one channel.
    A limit that is null does not limit.
    """

    message_class = models.CharField(_("message class"), max_length=15, choices=MessageClass, unique=True)
    channels = ArrayField(
        models.CharField(max_length=10, choices=Channel), default=list, verbose_name=_("allowed channels")
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    duplicate_hours = models.PositiveSmallIntegerField(
        _("same text again after, hours"),
        default=24,
        help_text=_("Sooner than that it is skipped as a duplicate."),
    )
    cap_day = models.PositiveSmallIntegerField(_("at most a day"), null=True, blank=True)
    cap_week = models.PositiveSmallIntegerField(_("at most in 7 days"), null=True, blank=True)
    subject_gap_hours = models.PositiveSmallIntegerField(
        _("same subject again after, hours"), null=True, blank=True
    )
    subject_max = models.PositiveSmallIntegerField(_("at most about one subject"), null=True, blank=True)
    target_seconds = models.PositiveIntegerField(
        _("on time within, seconds"),
        default=600,
        db_default=600,
        help_text=_("From the moment it is due until it is handed over."),
    )
    version = models.PositiveIntegerField(_("version"), default=1)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("sending policy")
        verbose_name_plural = _("sending policies")
        ordering = ["message_class"]

    def __str__(self) -> str:
        return self.get_message_class_display()


class ChannelPolicy(models.Model):
    """What one message class may use on one channel, where that differs from its policy for all."""

    policy = models.ForeignKey(
        SendingPolicy, models.CASCADE, related_name="rules", verbose_name=_("sending policy")
    )
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    cap_day = models.PositiveSmallIntegerField(_("at most a day"), null=True, blank=True)
    cap_week = models.PositiveSmallIntegerField(_("at most in 7 days"), null=True, blank=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("policy for a channel")
        verbose_name_plural = _("policies for channels")
        ordering = ["policy", "channel"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "channel"], name="messaging_channelpolicy_once")
        ]

    def __str__(self) -> str:
        return f"{self.policy} · {self.get_channel_display()}"
