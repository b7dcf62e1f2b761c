"""What customers answer."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from notifyhub.core.fields import EncryptedTextField
from notifyhub.customers.models import Customer
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models.provider import ProviderAccount


class InboundMessage(models.Model):
    """One message of a customer to us, once per `event_id` of its account. On screen: reply.

    Stored as it came, then worked on in the order in which its number sent them: `handled_at` says when.
    `closed` keeps what a "stop" closed, so that a "start" opens that again and nothing else: the topics by
    customer, and the suppression. `taken_kind` and `taken_id` name what an app above made of it.
    """

    class Meaning(models.TextChoices):
        TEXT = "text", _("Text")
        STOP = "stop", _("Wants no more offers")
        START = "start", _("Wants offers again")

    account = models.ForeignKey(
        ProviderAccount, models.CASCADE, related_name="replies", verbose_name=_("provider account")
    )
    event_id = models.CharField(_("event"), max_length=120)
    received_at = models.DateTimeField(_("received at"), auto_now_add=True)
    at = models.DateTimeField(_("at"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    # Without them once the customer is erased.
    contact = EncryptedTextField(_("contact point"), null=True)
    contact_hash = models.BinaryField(_("look-up hash"), max_length=16, null=True)
    masked = models.CharField(_("contact point"), max_length=120, blank=True)
    text = EncryptedTextField(_("text"), null=True)
    meaning = models.CharField(_("meaning"), max_length=5, choices=Meaning, default=Meaning.TEXT)
    # As the provider named the message that is answered, if it did.
    reference = models.CharField(_("our reference"), max_length=60, blank=True)
    provider_ref = models.CharField(_("provider reference"), max_length=120, blank=True)
    customer = models.ForeignKey(
        Customer, models.SET_NULL, null=True, related_name="replies", verbose_name=_("customer")
    )
    dispatch_id = models.BigIntegerField(_("dispatch"), null=True)
    delivery_id = models.BigIntegerField(_("message"), null=True)
    handled_at = models.DateTimeField(_("handled at"), null=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    closed = models.JSONField(_("closed by it"), default=dict, blank=True)
    reopened_at = models.DateTimeField(_("opened again at"), null=True)
    taken_kind = models.CharField(_("went to"), max_length=40, blank=True)
    taken_id = models.CharField(_("number there"), max_length=60, blank=True)

    class Meta:
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        ordering = ["-id"]
        permissions = [("reply_in_sandbox", gettext_noop("Can reply as the customer in the sandbox"))]
        constraints = [models.UniqueConstraint(fields=["account", "event_id"], name="messaging_reply_once")]
        indexes = [
            # For those that wait to be worked on, in their order.
            models.Index(fields=["id"], name="messaging_reply_waiting", condition=Q(handled_at__isnull=True)),
            models.Index(
                fields=["contact_hash", "id"],
                name="messaging_reply_number",
                condition=Q(contact_hash__isnull=False),
            ),
            models.Index(
                fields=["customer", "-at"],
                name="messaging_reply_customer",
                condition=Q(customer__isnull=False),
            ),
            models.Index(
                fields=["dispatch_id", "delivery_id"],
                name="messaging_reply_message",
                condition=Q(dispatch_id__isnull=False),
            ),
            models.Index(fields=["received_at"], name="messaging_reply_age"),
        ]

    def __str__(self) -> str:
        return f"{self.masked} · {self.get_meaning_display()}"

    @property
    def answers(self) -> str:
        """Return the name of the message it answers, "" if none is known."""
        return f"{self.dispatch_id}-{self.delivery_id}" if self.dispatch_id else ""
