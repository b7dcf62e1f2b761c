"""Sending jobs, and the batches that workers lease."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from notifyhub.core.fields import EncryptedTextField
from notifyhub.core.flow import Flow
from notifyhub.core.registry import origins
from notifyhub.customers.models import ContactPoint, Customer, Topic
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.models.template import TemplateVersion
from notifyhub.staff.models import Team, User

# A dispatch takes the ids of its messages from the ledger's sequence in blocks of this size (see the first
# migration), and is planned by as many recipients at a time.
ID_BLOCK = 50_000


class Priority(models.IntegerChoices):
    REALTIME = 0, _("Realtime")
    BULK = 1, _("Bulk")


class Dispatch(models.Model):
    """One sending job, whatever asked for it.

    `audience` says whom: {"kind": "items"} for the rows of DispatchItem, else a rule that
    customers.services.audiences compiles. `chain` lists the channels by step and what each waits for, in
    seconds: [{"channel": "push", "wait": 3600, "until": "read"}, {"channel": "sms"}].
    `plan_cursor` is the last customer (or item) planned; it moves in the transaction that plans them.
    The counts are folded from the batches by the tick (`rate` is the speed between two folds); the ledger is
    the truth. `next_at` paces a dispatch that has a rate of its own.
    """

    class State(models.TextChoices):
        PLANNING = "planning", _("Planning")
        SCHEDULED = "scheduled", _("Scheduled")
        RUNNING = "running", _("Sending")
        PAUSED = "paused", _("Paused")
        CANCELLING = "cancelling", _("Cancelling")
        CANCELLED = "cancelled", _("Cancelled")
        FINISHED = "finished", _("Finished")

    FLOW = Flow(
        {
            State.SCHEDULED: frozenset({State.PLANNING, State.CANCELLED}),
            State.PLANNING: frozenset({State.RUNNING, State.CANCELLING}),
            State.RUNNING: frozenset({State.PAUSED, State.CANCELLING, State.FINISHED}),
            State.PAUSED: frozenset({State.RUNNING, State.CANCELLING}),
            State.CANCELLING: frozenset({State.CANCELLED}),
            State.CANCELLED: frozenset(),
            State.FINISHED: frozenset(),
        }
    )

    key = models.UUIDField(_("key"), default=uuid.uuid4, unique=True, editable=False)
    title = models.CharField(_("title"), max_length=200)
    origin_kind = models.CharField(_("origin"), max_length=40)
    origin_id = models.CharField(_("origin id"), max_length=60, blank=True)
    trigger = models.CharField(_("triggered by"), max_length=200, blank=True)
    message_class = models.CharField(_("message class"), max_length=15, choices=MessageClass)
    priority = models.SmallIntegerField(_("priority"), choices=Priority, default=Priority.BULK)
    topic = models.ForeignKey(Topic, models.PROTECT, null=True, related_name="+", verbose_name=_("topic"))
    template_version = models.ForeignKey(
        TemplateVersion,
        models.PROTECT,
        null=True,
        related_name="dispatches",
        verbose_name=_("template version"),
    )
    # One-off content (a case reply): JSON of {"subject", "body"}, when there is no template version.
    text = EncryptedTextField(_("one-off text"), null=True)
    chain = models.JSONField(_("channels"), default=list)
    audience = models.JSONField(_("audience"), default=dict)
    subject_ref = models.CharField(_("subject"), max_length=80, blank=True)
    urgent = models.BooleanField(_("urgent"), default=False, db_default=False)
    # How its messages are gathered: {"every", "at", "weekday"}, as the template said when it was accepted;
    # null for those that never are.
    gather = models.JSONField(_("gathered"), null=True)
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.PLANNING)
    pause_reason = models.CharField(_("why paused"), max_length=200, blank=True)
    send_at = models.DateTimeField(_("send at"))
    expires_at = models.DateTimeField(_("expires at"), null=True)
    plan_cursor = models.BigIntegerField(_("planned up to"), default=0)
    plan_until = models.BigIntegerField(_("plan until"), null=True)
    # The first ids of the blocks it took, in the order of planning: short tokens count rows by them.
    blocks = ArrayField(models.BigIntegerField(), default=list, db_default=[], verbose_name=_("id blocks"))
    people = models.BigIntegerField(_("people"), default=0, db_default=0)
    # How many of them at least one message was handed over to, counted when it ended.
    reached = models.BigIntegerField(_("people reached"), null=True)
    planned = models.BigIntegerField(_("planned"), default=0)
    sent = models.BigIntegerField(_("handed over"), default=0)
    delivered = models.BigIntegerField(_("delivered"), default=0)
    failed = models.BigIntegerField(_("failed"), default=0)
    skipped = models.BigIntegerField(_("skipped"), default=0)
    unknown = models.BigIntegerField(_("unknown"), default=0)
    expired = models.BigIntegerField(_("expired"), default=0)
    cancelled = models.BigIntegerField(_("cancelled"), default=0)
    gathered = models.BigIntegerField(_("gathered"), default=0, db_default=0)
    # Why rows were skipped or failed: {reason: rows}.
    reasons = models.JSONField(_("reasons"), default=dict)
    # How many rows of a reason somebody accepted by letting it go on: {reason: rows}.
    tolerated = models.JSONField(_("accepted failures"), default=dict, db_default={})
    rate = models.FloatField(_("speed"), null=True)
    folded_at = models.DateTimeField(_("counted at"), null=True)
    next_at = models.DateTimeField(_("paced until"), null=True)
    rate_per_second = models.PositiveIntegerField(_("messages a second"), null=True)
    served_at = models.DateTimeField(_("last served"), null=True)
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("owner"))
    owner_team = models.ForeignKey(
        Team, models.PROTECT, null=True, related_name="+", verbose_name=_("owning team")
    )
    author = models.CharField(_("written by"), max_length=120, blank=True)
    approved_by = models.CharField(_("approved by"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("dispatch")
        verbose_name_plural = _("dispatches")
        ordering = ["-id"]
        permissions = [("control_dispatch", gettext_noop("Can pause, resume and cancel sending"))]
        indexes = [
            # For the tick and the lease: only what is open.
            models.Index(
                fields=["state", "served_at"],
                name="messaging_dispatch_open",
                condition=~Q(state__in=["finished", "cancelled"]),
            ),
            # For taking turns: the least recently served first.
            models.Index(
                F("priority"),
                F("served_at").asc(nulls_first=True),
                F("id"),
                name="messaging_dispatch_turn",
                condition=Q(state__in=["running", "cancelling", "paused"]),
            ),
            models.Index(fields=["origin_kind", "origin_id", "-id"], name="messaging_dispatch_origin"),
        ]
        constraints = [
            models.CheckConstraint(
                name="messaging_dispatch_has_content",
                condition=Q(template_version__isnull=False) | Q(text__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.shown_title

    @property
    def shown_title(self) -> str:
        """Return the title; in the reader's language where what asked for it has words of its own."""
        origin = origins.get(self.origin_kind)
        return str(origin.title(self.origin_id)) if origin and origin.title else self.title

    @property
    def shown_trigger(self) -> str:
        """Return what triggered it; where nothing is stored, in the words of what asked for it."""
        origin = None if self.trigger else origins.get(self.origin_kind)
        return str(origin.trigger(self.author)) if origin and origin.trigger else self.trigger


class DispatchItem(models.Model):
    """One recipient of a dispatch that names its recipients: an API request, a reminder, a case reply.

    `item` is the dedup key: the reminder's id, the place in the request. `variables` is encrypted JSON.
    """

    dispatch = models.ForeignKey(Dispatch, models.CASCADE, related_name="items", verbose_name=_("dispatch"))
    item = models.BigIntegerField(_("item"))
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+", verbose_name=_("customer"))
    contact = models.ForeignKey(
        ContactPoint, models.SET_NULL, null=True, related_name="+", verbose_name=_("contact point")
    )
    subject_ref = models.CharField(_("subject"), max_length=80, blank=True)
    variables = EncryptedTextField(_("variables"), null=True)

    class Meta:
        verbose_name = _("dispatch item")
        verbose_name_plural = _("dispatch items")
        constraints = [models.UniqueConstraint(fields=["dispatch", "item"], name="messaging_item_once")]

    def __str__(self) -> str:
        return f"{self.dispatch_id}/{self.item}"


class Attachment(models.Model):
    """A file that goes with every message of a transactional dispatch."""

    dispatch = models.ForeignKey(
        Dispatch, models.CASCADE, related_name="attachments", verbose_name=_("dispatch")
    )
    name = models.CharField(_("name"), max_length=150)
    content_type = models.CharField(_("type"), max_length=80)
    size = models.PositiveIntegerField(_("size, bytes"))
    sha256 = models.CharField(_("fingerprint"), max_length=64)
    # Encrypted like all that is said to a customer.
    content = models.BinaryField(_("content"))

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class Batch(models.Model):
    """What a worker leases: the deliveries `lo..hi` of one dispatch, channel and send time, or `ids`.

    Everything up to `cursor` is settled; `cursor < id <= open_to` was opened for sending by the lease of
    `epoch`. Every write of a worker names its epoch, so a worker that lost its lease changes nothing.
    The database has the defaults too: the engine makes batches by SQL and names only what differs.
    """

    class State(models.IntegerChoices):
        READY = 0, _("Ready")
        LEASED = 1, _("Leased")
        DONE = 2, _("Done")

    dispatch = models.ForeignKey(Dispatch, models.CASCADE, related_name="batches", verbose_name=_("dispatch"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    priority = models.SmallIntegerField(_("priority"), choices=Priority)
    lo = models.BigIntegerField(_("first"))
    hi = models.BigIntegerField(_("last"))
    ids = ArrayField(models.BigIntegerField(), null=True, verbose_name=_("side list"))
    not_before = models.DateTimeField(_("not before"))
    state = models.SmallIntegerField(_("state"), choices=State, default=State.READY, db_default=State.READY)
    cursor = models.BigIntegerField(_("settled up to"))
    open_to = models.BigIntegerField(_("opened up to"))
    epoch = models.IntegerField(_("epoch"), default=0, db_default=0)
    tries = models.SmallIntegerField(_("leases without progress"), default=0, db_default=0)
    owner = models.CharField(_("owner"), max_length=120, blank=True, default="", db_default="")
    lease_until = models.DateTimeField(_("leased until"), null=True)
    # What its last window went through: a message in doubt never changes its account.
    account_id = models.IntegerField(_("provider account"), null=True)
    sent = models.IntegerField(_("handed over"), default=0, db_default=0)
    failed = models.IntegerField(_("failed"), default=0, db_default=0)
    skipped = models.IntegerField(_("skipped"), default=0, db_default=0)
    unknown = models.IntegerField(_("unknown"), default=0, db_default=0)
    delivered = models.IntegerField(_("delivered"), default=0, db_default=0)
    expired = models.IntegerField(_("expired"), default=0, db_default=0)
    cancelled = models.IntegerField(_("cancelled"), default=0, db_default=0)
    gathered = models.IntegerField(_("gathered"), default=0, db_default=0)
    reasons = models.JSONField(_("reasons"), default=dict, db_default={})
    deferred = models.IntegerField(_("put off"), default=0, db_default=0)
    # What its rows wait for until `not_before`, if it is not a retry: "quiet" hours.
    waits_for = models.CharField(_("waits for"), max_length=10, blank=True, default="", db_default="")
    step = models.SmallIntegerField(_("step"), default=0, db_default=0)
    # Its rows are further messages to people whom an earlier step did not reach.
    chained = models.BooleanField(_("follows a step"), default=False, db_default=False)
    # The chain has a later step: once this batch is done, somebody must look whether that is needed.
    watch = models.BooleanField(_("has a next step"), default=False, db_default=False)
    check_at = models.DateTimeField(_("look at"), null=True)
    checks = models.SmallIntegerField(_("looks"), default=0, db_default=0)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        indexes = [
            # For bulk: the oldest due batch of one dispatch.
            models.Index(
                fields=["dispatch", "not_before", "id"], name="messaging_batch_bulk", condition=Q(state=0)
            ),
            # What is due over all dispatches.
            models.Index(
                fields=["priority", "not_before", "dispatch"],
                name="messaging_batch_due",
                condition=Q(state=0),
            ),
            # For the chain.
            models.Index(
                fields=["check_at"], name="messaging_batch_check", condition=Q(check_at__isnull=False)
            ),
            # From a message to the batch it was planned in.
            models.Index(
                fields=["dispatch", "lo"], name="messaging_batch_rows", condition=Q(ids__isnull=True)
            ),
            # For the reaper.
            models.Index(fields=["lease_until"], name="messaging_batch_leased", condition=Q(state=1)),
        ]

    def __str__(self) -> str:
        return f"{self.dispatch_id} {self.lo}..{self.hi}"
