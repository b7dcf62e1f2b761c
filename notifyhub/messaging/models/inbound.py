"""What providers tell us later, as it came in."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifyhub.messaging.models.provider import ProviderAccount


class InboundReceipt(models.Model):
    """One report of a provider about one message.

    Stored before it is worked on, once per `event_id` of its account. One that fits no message waits here for
    seven days, since it may have outrun our own commit.
    """

    account = models.ForeignKey(
        ProviderAccount, models.CASCADE, related_name="receipts", verbose_name=_("provider account")
    )
    event_id = models.CharField(_("event"), max_length=120)
    received_at = models.DateTimeField(_("received at"), auto_now_add=True)
    # A kind of DeliveryEvent.
    kind = models.CharField(_("kind"), max_length=14)
    reference = models.CharField(_("our reference"), max_length=60, blank=True)
    provider_ref = models.CharField(_("provider reference"), max_length=120, blank=True)
    at = models.DateTimeField(_("at"))
    code = models.CharField(_("code"), max_length=40, blank=True)
    detail = models.CharField(_("detail"), max_length=300, blank=True)
    matched_at = models.DateTimeField(_("matched at"), null=True)

    class Meta:
        verbose_name = _("receipt")
        verbose_name_plural = _("receipts")
        ordering = ["-received_at"]
        constraints = [models.UniqueConstraint(fields=["account", "event_id"], name="messaging_receipt_once")]
        indexes = [
            models.Index(
                fields=["received_at"],
                name="messaging_receipt_parked",
                condition=models.Q(matched_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
