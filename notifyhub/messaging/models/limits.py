"""How often each customer was written to, what stands still, and how punctual sending was."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models.consent import MessageClass


class SendDay(models.Model):
    """How often one customer was written to on one day, in each respect: caps, subjects, same texts.

    Reserved before a message goes out and given back when it certainly did not, since counting the ledger
    lets two dispatches that run side by side pass a cap together. A respect is the first 64 bits of the md5
    of a text such as "cap:promotional:sms"; the three lists stand beside each other. What is about a subject
    has a row of its own, under the subject's respect. Partitioned by month of `day` (see the migration); its
    key is (customer_id, subject, day).
    """

    customer_id = models.BigIntegerField(_("customer"), primary_key=True)
    subject = models.BigIntegerField(_("subject"))
    day = models.DateField(_("day"))
    respects = ArrayField(models.BigIntegerField(), verbose_name=_("respects"))
    used = ArrayField(models.SmallIntegerField(), verbose_name=_("messages"))
    at = ArrayField(models.DateTimeField(), verbose_name=_("last at"))

    class Meta:
        db_table = "messaging_sendday"
        verbose_name = _("send day")
        verbose_name_plural = _("send days")

    def __str__(self) -> str:
        return f"{self.customer_id} {self.day}"


class SendCount(models.Model):
    """How often one customer was written to in one respect on one day: a view of the days, for reading."""

    customer_id = models.BigIntegerField(_("customer"), primary_key=True)
    subject = models.BigIntegerField(_("subject"))
    respect = models.BigIntegerField(_("respect"))
    day = models.DateField(_("day"))
    used = models.SmallIntegerField(_("messages"), default=0)
    at = models.DateTimeField(_("last at"))

    class Meta:
        managed = False
        db_table = "messaging_sendcount"
        verbose_name = _("send count")
        verbose_name_plural = _("send counts")

    def __str__(self) -> str:
        return f"{self.customer_id} {self.day} {self.used}"


class Halt(models.Model):
    """A stop that somebody ordered: while it is in force, nothing it covers is leased or handed over."""

    class Scope(models.TextChoices):
        ALL = "all", _("All sending")
        CLASS = "class", _("One message class")
        CHANNEL = "channel", _("One channel")
        ACCOUNT = "account", _("One provider account")
        WORKER = "worker", _("One worker")
        RESTORED = "restored", _("What was overdue when the database was restored")

    scope = models.CharField(_("what stands still"), max_length=10, choices=Scope)
    value = models.CharField(_("which"), max_length=120, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    placed_by = models.CharField(_("ordered by"), max_length=120, blank=True)
    placed_at = models.DateTimeField(_("ordered at"), auto_now_add=True)
    lifted_by = models.CharField(_("lifted by"), max_length=120, blank=True)
    lifted_at = models.DateTimeField(_("lifted at"), null=True)

    class Meta:
        verbose_name = _("halt")
        verbose_name_plural = _("halts")
        ordering = ["-placed_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "value"],
                condition=models.Q(lifted_at__isnull=True),
                name="messaging_halt_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.value}".strip()


class Punctuality(models.Model):
    """How long messages of one class that were due in one hour waited until they were handed over.

    `buckets` counts them by the bounds in services.punctuality; `causes` says why the late ones were late.
    """

    message_class = models.CharField(_("message class"), max_length=15, choices=MessageClass)
    hour = models.DateTimeField(_("hour"))
    on_time = models.BigIntegerField(_("on time"), default=0)
    late = models.BigIntegerField(_("late"), default=0)
    buckets = ArrayField(models.BigIntegerField(), default=list, verbose_name=_("by waiting time"))
    causes = models.JSONField(_("causes"), default=dict)

    class Meta:
        verbose_name = _("punctuality")
        verbose_name_plural = _("punctuality")
        ordering = ["-hour", "message_class"]
        constraints = [
            models.UniqueConstraint(fields=["message_class", "hour"], name="messaging_punctuality_once")
        ]

    def __str__(self) -> str:
        return f"{self.message_class} {self.hour:%F %H}"
