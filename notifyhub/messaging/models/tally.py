"""What was sent, counted once by the tick, so that no page and no scrape counts the ledger again."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.models.dispatch import Priority


class SendTally(models.Model):
    """How many messages had an event of one kind in one minute, by class, account and worker node.

    Older minutes are folded into hours and, at last, into the row of 1970, so that sums over all rows only
    ever grow. `kind` is one of DeliveryEvent, or one of the samples below: `waiting` is how many messages
    were due and waited, `circuit` how often in that minute the account's circuit was found open, and
    `waited00` to `waited19` how many the account was handed by how long they had waited (see BOUNDS).
    """

    WAITING, CIRCUIT = "waiting", "circuit"
    WAITED = tuple(f"waited{place:02}" for place in range(20))
    SAMPLES = (WAITING, CIRCUIT, *WAITED)

    minute = models.DateTimeField(_("minute"))
    message_class = models.CharField(_("message class"), max_length=15, choices=MessageClass, blank=True)
    priority = models.SmallIntegerField(_("priority"), choices=Priority)
    account_id = models.IntegerField(_("provider account"), default=0)
    node = models.CharField(_("worker"), max_length=120, blank=True)
    kind = models.CharField(_("kind"), max_length=14)
    count = models.BigIntegerField(_("messages"), default=0)

    class Meta:
        verbose_name = _("tally")
        verbose_name_plural = _("tallies")
        ordering = ["-minute"]
        constraints = [
            models.UniqueConstraint(
                fields=["minute", "message_class", "priority", "account_id", "node", "kind"],
                name="messaging_tally_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.minute:%F %H:%M} {self.kind} {self.count}"


class Bookmark(models.Model):
    """Up to which moment a tick has read the events of the ledger; it moves with what was counted."""

    name = models.CharField(_("name"), max_length=40, primary_key=True)
    upto = models.DateTimeField(_("read up to"))

    class Meta:
        verbose_name = _("bookmark")
        verbose_name_plural = _("bookmarks")

    def __str__(self) -> str:
        return f"{self.name} {self.upto:%F %T}"
