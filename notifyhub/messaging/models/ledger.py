"""The ledger: one row per message, what happened to it, and what it said.

All three tables are partitioned (see the first migration): Delivery by ranges of dispatch ids with primary
key (dispatch_id, id); the other two by month. No foreign key points at them; queries name the dispatch.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from notifyhub.customers.models.consent import Channel


class Delivery(models.Model):
    """One message to one recipient over one step of the chain. On screen: message.

    No index touches a column that settling or receipts write, so those writes stay HOT.
    """

    class State(models.IntegerChoices):
        """The number is the rank by which late and doubled news merge."""

        PLANNED = 0, _("Planned")
        UNKNOWN = 10, _("Unknown")
        SENT = 20, _("Handed over")
        FAILED = 30, _("Failed")
        DELIVERED = 40, _("Delivered")
        BOUNCED = 50, _("Bounced")
        SKIPPED = 90, _("Skipped")
        EXPIRED = 91, _("Expired")
        CANCELLED = 92, _("Cancelled")
        # It goes with others in a digest, which is a message of its own.
        GATHERED = 93, _("Gathered")

    class Reason(models.TextChoices):
        """Why a message was not sent, or failed."""

        NO_CONTACT = "no_contact", _("No contact point")
        INVALID_CONTACT = "invalid_contact", _("Contact point not in service")
        NO_CONSENT = "no_consent", _("Not opted in")
        OPTED_OUT = "opted_out", _("Opted out")
        SUPPRESSED = "suppressed", _("Suppressed")
        HOLD = "hold", _("On hold")
        CHANNEL_NOT_ALLOWED = "channel_not_allowed", _("Channel not allowed for this class")
        DUPLICATE_CONTACT = "duplicate_contact", _("Same contact point as another customer")
        DUPLICATE = "duplicate", _("Same text sent shortly before")
        CAP_DAY = "cap_day", _("Frequency cap of the day")
        CAP_WEEK = "cap_week", _("Frequency cap of the week")
        SUBJECT_GAP = "subject_gap", _("Too soon after the last about this subject")
        SUBJECT_MAX = "subject_max", _("Often enough about this subject")
        READ = "read", _("Read on another channel")
        GATHERED = "gathered", _("Gathered into a digest")
        NO_CONTENT = "no_content", _("No text for this channel")
        STOPPED = "stopped", _("No longer due")
        RENDER_ERROR = "render_error", _("Text could not be filled in")
        NOT_ALLOW_LISTED = "not_allow_listed", _("Not on the allow-list outside production")
        REJECTED = "rejected", _("Refused by the provider")
        TOO_MANY_TRIES = "too_many_tries", _("Given up after several tries")
        NO_ACCOUNT = "no_account", _("No provider account")
        ACCOUNT = "account", _("The provider account did not answer")
        POISON = "poison", _("Set aside: it stopped its worker")
        AMBIGUOUS = "ambiguous", _("No answer from the provider")
        WORKER_DIED = "worker_died", _("The worker stopped while sending")

    OPEN = (State.PLANNED,)

    id = models.BigIntegerField(_("id"), primary_key=True)
    dispatch_id = models.BigIntegerField(_("dispatch"))
    customer_id = models.BigIntegerField(_("customer"))
    contact_id = models.BigIntegerField(_("contact point"), null=True)
    dedup_key = models.BigIntegerField(_("dedup key"))
    step = models.SmallIntegerField(_("step"), default=0)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    state = models.SmallIntegerField(_("state"), choices=State, default=State.PLANNED)
    reason = models.CharField(_("reason"), max_length=20, choices=Reason, default="")
    tries = models.SmallIntegerField(_("tries"), default=0)
    account_id = models.IntegerField(_("provider account"), null=True)
    send_at = models.DateTimeField(_("planned for"))
    settled_at = models.DateTimeField(_("settled at"), null=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True)
    read_at = models.DateTimeField(_("read at"), null=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-id"]
        permissions = [("settle_delivery", gettext_noop("Can say what became of messages in doubt"))]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """Return the name of this message in links and by other apps: dispatch-id."""
        return f"{self.dispatch_id}-{self.id}"


class DeliveryEvent(models.Model):
    """One thing that happened to a message. Append-only."""

    class Kind(models.TextChoices):
        SENT = "sent", _("Handed over")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Failed")
        BOUNCED = "bounced", _("Bounced")
        RETRY = "retry", _("Will be tried again")
        DELAYED = "delayed", _("Put off")
        UNKNOWN = "unknown", _("No answer")
        LATE = "late", _("Answer after the lease was lost")
        SKIPPED = "skipped", _("Skipped before sending")
        EXPIRED = "expired", _("Expired")
        CANCELLED = "cancelled", _("Cancelled")
        READ = "read", _("Read")
        OPENED = "opened", _("Opened")
        CLICKED = "clicked", _("Clicked")
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
        COMPLAINED = "complained", _("Complained")
        SETTLED = "settled", _("Settled by a person")

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("at"))
    dispatch_id = models.BigIntegerField(_("dispatch"))
    delivery_id = models.BigIntegerField(_("message"))
    kind = models.CharField(_("kind"), max_length=14, choices=Kind)
    account_id = models.IntegerField(_("provider account"), null=True)
    provider_ref = models.CharField(_("provider reference"), max_length=120, default="")
    code = models.CharField(_("code"), max_length=40, default="")
    detail = models.CharField(_("detail"), max_length=300, default="")
    worker = models.CharField(_("worker"), max_length=120, default="")
    # When we heard of it, for what others report by clocks of their own; the engine leaves it empty, since
    # its `at` is that moment.
    told_at = models.DateTimeField(_("heard at"), null=True)

    class Meta:
        verbose_name = _("message event")
        verbose_name_plural = _("message events")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.delivery_id}"


class MessageCopy(models.Model):
    """What a message said, kept so that it can be shown as it was: encrypted JSON, append-only.

    Text for SMS and chat, the template's variables for mail; never a variable marked secret.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("at"))
    dispatch_id = models.BigIntegerField(_("dispatch"))
    delivery_id = models.BigIntegerField(_("message"))
    payload = models.BinaryField(_("payload"))

    class Meta:
        verbose_name = _("message copy")
        verbose_name_plural = _("message copies")

    def __str__(self) -> str:
        return f"{self.dispatch_id}-{self.delivery_id}"
