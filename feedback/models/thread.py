"""What was said in a case, and what happened to it."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from feedback.models.case import Case
from notifyhub.customers.models.consent import Channel
from notifyhub.staff.models import User


class Interaction(models.Model):
    """One thing said. Whether the customer can see it is fixed when it is written.

    `state` is a copy of the ledger's state of an outgoing message, kept by the service that reads it.
    """

    class Direction(models.TextChoices):
        IN = "in", _("From the customer")
        OUT = "out", _("To the customer")
        INTERNAL = "internal", _("Internal")

    class Kind(models.TextChoices):
        CALL = "call", _("Call")
        REPLY = "reply", _("Reply")
        NOTE = "note", _("Internal note")
        MESSAGE = "message", _("Message")

    class Sending(models.TextChoices):
        QUEUED = "queued", _("Queued")
        SENT = "sent", _("Handed over")
        DELIVERED = "delivered", _("Delivered")
        READ = "read", _("Read")
        UNKNOWN = "unknown", _("Unknown")
        FAILED = "failed", _("Failed")

    #: A message that reached the provider: the customer was answered.
    HANDED_OVER = (Sending.SENT, Sending.DELIVERED, Sending.READ)

    case = models.ForeignKey(Case, models.CASCADE, related_name="interactions", verbose_name=_("case"))
    origin_case = models.ForeignKey(
        Case, models.PROTECT, null=True, related_name="+", verbose_name=_("written in")
    )
    cycle = models.PositiveSmallIntegerField(_("cycle"), default=1)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    at = models.DateTimeField(_("at"))
    author = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("author"))
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, blank=True)
    sent_to = models.CharField(_("sent to"), max_length=120, blank=True)
    dispatch_id = models.BigIntegerField(_("dispatch"), null=True)
    state = models.CharField(_("state"), max_length=10, choices=Sending, blank=True)
    state_reason = models.CharField(_("reason"), max_length=40, blank=True)
    state_at = models.DateTimeField(_("state since"), null=True)

    class Meta:
        verbose_name = _("interaction")
        verbose_name_plural = _("interactions")
        ordering = ["at", "id"]
        indexes = [
            models.Index(fields=["case", "at"], name="feedback_interaction_thread"),
            # For the news from the ledger.
            models.Index(
                fields=["dispatch_id"],
                name="feedback_interaction_dispatch",
                condition=Q(dispatch_id__isnull=False),
            ),
            # For the tick that asks the ledger about what is under way.
            models.Index(
                fields=["state_at"],
                name="feedback_interaction_open",
                condition=Q(state__in=["queued", "sent", "unknown"]),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="feedback_interaction_note_is_internal",
                condition=Q(kind="note", direction="internal") | (~Q(kind="note") & ~Q(direction="internal")),
            ),
            models.CheckConstraint(
                name="feedback_interaction_state_of_replies",
                condition=Q(kind="reply", state__gt="") | (~Q(kind="reply") & Q(state="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.case_id}"


class CaseEvent(models.Model):
    """One thing that happened to a case. Append-only: a trigger refuses UPDATE and DELETE.

    Each change of state has exactly one event with `from_state` and `to_state`; nothing personal in `data`.
    """

    case = models.ForeignKey(Case, models.DO_NOTHING, related_name="events", verbose_name=_("case"))
    at = models.DateTimeField(_("at"))
    kind = models.CharField(_("what"), max_length=30)
    actor = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("actor"))
    actor_name = models.CharField(_("actor's name"), max_length=120)
    from_state = models.CharField(_("from"), max_length=14, blank=True)
    to_state = models.CharField(_("to"), max_length=14, blank=True)
    data = models.JSONField(_("data"), default=dict)

    class Meta:
        verbose_name = _("case event")
        verbose_name_plural = _("case events")
        ordering = ["id"]
        indexes = [models.Index(fields=["case", "id"], name="feedback_event_case")]

    def __str__(self) -> str:
        return f"{self.kind} {self.case_id}"


class CaseDraft(models.Model):
    """What one person is writing in one case."""

    case = models.ForeignKey(Case, models.CASCADE, related_name="drafts", verbose_name=_("case"))
    user = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name=_("member of staff"))
    mode = models.CharField(_("kind"), max_length=8, choices=Interaction.Kind, default=Interaction.Kind.REPLY)
    channel = models.CharField(_("channel"), max_length=10, blank=True)
    body = models.TextField(_("text"))
    saved_at = models.DateTimeField(_("saved at"))

    class Meta:
        verbose_name = _("draft")
        verbose_name_plural = _("drafts")
        constraints = [models.UniqueConstraint(fields=["case", "user"], name="feedback_draft_once")]

    def __str__(self) -> str:
        return f"{self.case_id} · {self.user_id}"
