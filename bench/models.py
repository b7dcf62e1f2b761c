"""What the baselines write to: the tables that an ordinary Django project would have."""

from typing import ClassVar

from django.db import models


class PlainColumns(models.Model):
    """The ledger's columns in one plain table: primary key, unique constraint, two indexes."""

    dispatch_id = models.BigIntegerField()
    customer_id = models.BigIntegerField()
    contact_id = models.BigIntegerField(null=True)
    dedup_key = models.BigIntegerField()
    step = models.SmallIntegerField(default=0)
    channel = models.CharField(max_length=10)
    state = models.SmallIntegerField(default=0)
    reason = models.CharField(max_length=20, default="")
    tries = models.SmallIntegerField(default=0)
    account_id = models.IntegerField(null=True)
    send_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["dispatch_id", "dedup_key", "step"], name="%(class)s_once")
        ]
        indexes = [
            models.Index(fields=["customer_id", "-id"], name="%(class)s_customer"),
            # What a worker that claims rows looks for.
            models.Index(fields=["send_at", "id"], name="%(class)s_pending", condition=models.Q(state=0)),
        ]

    def __str__(self) -> str:
        return f"{self.dispatch_id}-{self.pk}"


class PlainDelivery(PlainColumns):
    """What planning's baseline writes."""

    objects: ClassVar[models.Manager["PlainDelivery"]] = models.Manager()


class ClaimedDelivery(PlainColumns):
    """A queue: who has claimed a row, until when, and how a row is found whose worker died with it."""

    claimed_by = models.CharField(max_length=120, default="")
    claimed_until = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["ClaimedDelivery"]] = models.Manager()

    class Meta(PlainColumns.Meta):
        indexes = [
            *PlainColumns.Meta.indexes,
            models.Index(fields=["claimed_until"], name="%(class)s_claimed", condition=models.Q(state=5)),
        ]


class QueuedMail(models.Model):
    """One mail of a baseline that keeps its own state."""

    to = models.CharField(max_length=200)
    name = models.CharField(max_length=120)
    city = models.CharField(max_length=60)
    link = models.CharField(max_length=200)
    state = models.CharField(max_length=10, default="queued", db_index=True)
    error = models.CharField(max_length=200, default="")
    sent_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["QueuedMail"]] = models.Manager()

    def __str__(self) -> str:
        return self.to
