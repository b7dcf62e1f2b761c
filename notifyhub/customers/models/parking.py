"""Events that could not be taken: whose customer is not known yet, or that are wrong in themselves."""

import json
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from notifyhub.core import crypto
from notifyhub.core.flow import Flow
from notifyhub.customers.models.customer import Customer


class EventPolicy(models.Model):
    """What becomes of events whose customer nobody knows: one row, with its history."""

    class Unknown(models.TextChoices):
        CREATE = "create", _("Create a provisional customer")
        PARK = "park", _("Park the event until the customer is known")

    unknown = models.CharField(_("unknown customer"), max_length=10, choices=Unknown, default=Unknown.CREATE)
    waiting_days = models.PositiveSmallIntegerField(
        _("days that parked events wait"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(400)],
    )
    version = models.PositiveIntegerField(_("version"), default=1)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("policy for unknown customers")
        verbose_name_plural = _("policy for unknown customers")
        default_permissions = ("view", "change")
        constraints = [models.CheckConstraint(name="customers_eventpolicy_one", condition=Q(id=1))]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)


class Alias(models.Model):
    """Another id of a customer: the anonymous id of a device, or a number they had before. Only its hash."""

    value_hash = models.BinaryField(_("look-up hash"), max_length=16, unique=True)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="aliases", verbose_name=_("customer"))
    source = models.CharField(_("source"), max_length=40)
    bound_at = models.DateTimeField(_("bound at"), auto_now_add=True)

    class Meta:
        verbose_name = _("alias")
        verbose_name_plural = _("aliases")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.customer_id}"


class ParkedEvent(models.Model):
    """An event that was not taken, as it was told, encrypted; `keys` are the hashes of its identifiers.

    A parked one waits for its customer and is matched again; a refused one waits for a person.
    """

    class Why(models.TextChoices):
        UNKNOWN = "unknown", _("Customer not known")
        ANONYMOUS = "anonymous", _("Visitor without a name")
        REFUSED = "refused", _("Refused")

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        TAKEN = "taken", _("Taken")
        DISCARDED = "discarded", _("Discarded")

    FLOW = Flow(
        {
            State.WAITING: frozenset({State.TAKEN, State.DISCARDED}),
            State.TAKEN: frozenset(),
            State.DISCARDED: frozenset(),
        }
    )

    why = models.CharField(_("why"), max_length=10, choices=Why)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    # What arrived twice with one message id is one row.
    message_id = models.CharField(_("message id"), max_length=120)
    name = models.CharField(_("event"), max_length=200, blank=True)
    occurred_at = models.DateTimeField(_("occurred at"), null=True)
    received_at = models.DateTimeField(_("received at"))
    source = models.CharField(_("source"), max_length=40)
    field = models.CharField(_("field"), max_length=80, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    masked = models.CharField(_("customer"), max_length=120, blank=True)
    keys = ArrayField(models.BinaryField(), default=list, verbose_name=_("look-up hashes"))
    sealed = models.BinaryField(_("what was told"))
    tries = models.PositiveIntegerField(_("times told or tried"), default=1)
    tried_at = models.DateTimeField(_("last tried"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    ended_by = models.CharField(_("ended by"), max_length=120, blank=True)
    ended_reason = models.CharField(_("reason given"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("parked event")
        verbose_name_plural = _("parked events")
        ordering = ["-id"]
        default_permissions = ("view", "change")
        constraints = [
            models.UniqueConstraint(
                fields=["message_id"], condition=Q(state="waiting"), name="customers_parked_once"
            ),
            models.CheckConstraint(
                name="customers_parked_ended_iff_at",
                condition=Q(state="waiting", ended_at=None)
                | (~Q(state="waiting") & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [
            GinIndex(fields=["keys"], name="customers_parked_keys", condition=Q(state="waiting")),
            # For the tick, which tries the ones it has not tried for longest.
            models.Index(
                fields=["why", "tried_at"], name="customers_parked_waiting", condition=Q(state="waiting")
            ),
            models.Index(fields=["received_at"], name="customers_parked_age"),
        ]

    def __str__(self) -> str:
        return self.name or self.message_id

    @property
    def payload(self) -> dict[str, Any]:
        """Return what was told; {} if its key is gone."""
        try:
            found = json.loads(crypto.decrypt(bytes(self.sealed)))
        except (crypto.Undecryptable, ValueError):
            return {}
        return found if isinstance(found, dict) else {"told": found}
