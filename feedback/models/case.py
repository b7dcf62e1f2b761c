"""The case: a complaint, an enquiry, a suggestion."""

import uuid
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

from feedback.models.category import SERIOUS, Category, Severity
from feedback.models.flow import FLOW, OPEN_STATES, WAITING, CaseState
from feedback.models.querysets import CaseQuerySet
from feedback.models.words import Caller, Decision, Kind, Priority, Remedy, Resolution, RootCause, Source
from notifyhub.core.fields import EncryptedTextField
from notifyhub.customers.models import Customer
from notifyhub.staff.models import Team, User


class CaseCounter(models.Model):
    """How many cases a day has; its row is locked while a number is drawn."""

    day = models.DateField(_("day"), primary_key=True)
    last = models.PositiveIntegerField(_("last number"), default=0)

    class Meta:
        verbose_name = _("case counter")
        verbose_name_plural = _("case counters")

    def __str__(self) -> str:
        return f"{self.day}: {self.last}"


class Case(models.Model):
    """Something a customer wants put right or told. `state` moves only by services.flow.transition.

    `next_due_at` and `next_metric` copy the most urgent clock still awaited, `unanswered` and
    `failed_replies` what the thread says, so that the queue reads one table.
    """

    State = CaseState
    FLOW = FLOW

    Kind = Kind
    Source = Source
    Caller = Caller
    Priority = Priority
    Remedy = Remedy
    Decision = Decision
    Resolution = Resolution
    RootCause = RootCause

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    number = models.CharField(_("number"), max_length=18, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.COMPLAINT)
    source = models.CharField(_("received by"), max_length=10, choices=Source, default=Source.PHONE)
    external_ref = models.CharField(_("reference of the sender"), max_length=80, blank=True)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, related_name="cases", verbose_name=_("customer")
    )
    caller_relation = models.CharField(
        _("who is speaking"), max_length=10, choices=Caller, default=Caller.SELF
    )
    # The caller's number: often, but not always, the customer's. Kept as it was told when it is no number.
    contact_phone = EncryptedTextField(_("caller's phone"), null=True)
    contact_hash = models.BinaryField(_("look-up hash"), max_length=16, null=True)
    contact_last7_hash = models.BinaryField(_("hash of the last seven digits"), max_length=16, null=True)
    contact_last4 = models.CharField(_("last four"), max_length=4, blank=True)
    contact_masked = models.CharField(_("caller's phone, masked"), max_length=40, blank=True)
    contact_verified = models.BooleanField(_("number checked"), default=True)
    order_number = models.CharField(pgettext_lazy("purchase", "order"), max_length=64, blank=True)
    subject_ref = models.CharField(_("subject"), max_length=80, blank=True)
    category = models.ForeignKey(Category, models.PROTECT, related_name="cases", verbose_name=_("category"))
    severity = models.CharField(_("severity"), max_length=2, choices=Severity)
    priority = models.CharField(_("priority"), max_length=2, choices=Priority)
    summary = models.CharField(_("summary"), max_length=120)
    detail = models.TextField(_("detail"), blank=True)
    remedy_sought = models.CharField(_("wish"), max_length=12, choices=Remedy, blank=True)
    # A copy of the line about the message that this case is about; the ledger keeps the message itself.
    delivery_ref = models.CharField(_("message reference"), max_length=40, blank=True)
    delivery_line = models.CharField(_("message"), max_length=200, blank=True)
    owner = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="cases", verbose_name=_("owner")
    )
    owned_at = models.DateTimeField(_("owned since"), null=True)
    team = models.ForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="cases", verbose_name=_("team")
    )
    state = models.CharField(_("state"), max_length=14, choices=CaseState, default=CaseState.NEW)
    wait_reason = models.CharField(_("waiting for"), max_length=200, blank=True)
    wait_until = models.DateTimeField(_("waiting until"), null=True)
    resolution_code = models.CharField(_("resolution"), max_length=14, choices=Resolution, blank=True)
    root_cause = models.CharField(_("root cause"), max_length=12, choices=RootCause, blank=True)
    decision = models.CharField(_("decision"), max_length=12, choices=Decision, blank=True)
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="merged_from", verbose_name=_("merged into")
    )
    follow_up_of = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="follow_ups", verbose_name=_("follow-up of")
    )
    cycle = models.PositiveSmallIntegerField(_("cycle"), default=1)
    reopen_count = models.PositiveSmallIntegerField(_("reopened"), default=0)
    holds_promotions = models.BooleanField(_("promotions are held"), default=False)
    next_due_at = models.DateTimeField(_("next due"), null=True)
    next_metric = models.CharField(_("next clock"), max_length=12, blank=True)
    last_customer_at = models.DateTimeField(_("last word of the customer"), null=True)
    last_agent_at = models.DateTimeField(_("last word of ours"), null=True)
    unanswered = models.BooleanField(_("customer waits for an answer"), default=False)
    failed_replies = models.PositiveSmallIntegerField(_("failed replies"), default=0)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    call_started_at = models.DateTimeField(_("call began"), null=True)
    created_at = models.DateTimeField(_("opened at"))
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("logged by")
    )
    resolved_at = models.DateTimeField(_("resolved at"), null=True)
    closed_at = models.DateTimeField(_("closed at"), null=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    objects = CaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        ordering = ["-id"]
        permissions = [
            ("view_all_case", gettext_noop("Can see the cases of every team")),
            ("assign_case", gettext_noop("Can assign cases and act for their owner")),
        ]
        indexes = [
            models.Index(fields=["state", "next_due_at"], name="feedback_case_state"),
            models.Index(fields=["owner", "state", "next_due_at"], name="feedback_case_owner"),
            models.Index(fields=["team", "state", "next_due_at"], name="feedback_case_team"),
            models.Index(fields=["customer", "-created_at"], name="feedback_case_customer"),
            models.Index(fields=["-created_at"], name="feedback_case_created"),
            models.Index(fields=["order_number"], name="feedback_case_order", condition=~Q(order_number="")),
            models.Index(
                fields=["contact_hash"], name="feedback_case_phone", condition=Q(contact_hash__isnull=False)
            ),
            models.Index(
                fields=["contact_last7_hash"],
                name="feedback_case_last7",
                condition=Q(contact_last7_hash__isnull=False),
            ),
            models.Index(
                fields=["contact_last4"], name="feedback_case_last4", condition=~Q(contact_last4="")
            ),
            # For the list of open cases in the order of the queue, and for the counts of its views.
            models.Index(
                fields=["next_due_at", "severity", "id"],
                name="feedback_case_queue",
                condition=Q(state__in=["new", "open", "wait_customer", "wait_dept", "wait_third"]),
            ),
            # For the list of what is resolved, newest first, and the tick that closes.
            models.Index(
                fields=["-resolved_at", "-id"],
                name="feedback_case_resolved",
                condition=Q(resolved_at__isnull=False),
            ),
            # For the tick that lifts holds.
            models.Index(fields=["closed_at"], name="feedback_case_hold", condition=Q(holds_promotions=True)),
            # For the tick that ends waiting.
            models.Index(
                fields=["wait_until"],
                name="feedback_case_wait",
                condition=Q(state__in=["wait_customer", "wait_dept", "wait_third"]),
            ),
            models.Index(fields=["fingerprint"], name="feedback_case_fingerprint"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_ref"],
                condition=~Q(external_ref=""),
                name="feedback_case_reference_once",
            ),
            models.CheckConstraint(
                name="feedback_case_resolved_has_decision",
                condition=~Q(state__in=["resolved", "closed"])
                | (
                    Q(resolved_at__isnull=False)
                    & ~Q(decision="")
                    & ~Q(resolution_code="")
                    & ~Q(root_cause="")
                ),
            ),
            models.CheckConstraint(
                name="feedback_case_closed_iff_closed_at",
                condition=Q(state="closed", closed_at__isnull=False)
                | (~Q(state="closed") & Q(closed_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="feedback_case_waits_with_reason",
                condition=Q(state__in=["wait_customer", "wait_dept", "wait_third"], wait_until__isnull=False)
                & ~Q(wait_reason="")
                | (
                    ~Q(state__in=["wait_customer", "wait_dept", "wait_third"])
                    & Q(wait_until=None, wait_reason="")
                ),
            ),
            models.CheckConstraint(
                name="feedback_case_merged_iff_target",
                condition=Q(state="merged", merged_into__isnull=False)
                | (~Q(state="merged") & Q(merged_into__isnull=True)),
            ),
            models.CheckConstraint(
                name="feedback_case_due_has_metric",
                condition=Q(next_due_at=None, next_metric="")
                | (Q(next_due_at__isnull=False) & ~Q(next_metric="")),
            ),
        ]

    REOPEN_WITHIN = timedelta(days=14)
    CLOSE_AFTER = timedelta(days=7)

    def __str__(self) -> str:
        return self.number

    @property
    def is_open(self) -> bool:
        """Say whether somebody still has to do something."""
        return self.state in OPEN_STATES

    @property
    def is_waiting(self) -> bool:
        """Say whether the case waits for somebody else."""
        return self.state in WAITING

    @property
    def is_serious_complaint(self) -> bool:
        """Say whether promotions to the customer must wait while this is open."""
        return self.severity in SERIOUS and self.kind in (self.Kind.COMPLAINT, self.Kind.REGULATOR)

    def owned_by(self, user: Any) -> bool:
        """Say whether `user` owns this case."""
        return self.owner_id is not None and self.owner_id == user.pk
