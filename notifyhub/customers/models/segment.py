"""Segments: a saved rule or a static list."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifyhub.customers.models.customer import Customer
from notifyhub.staff.models import Team, User


class Segment(models.Model):
    """A saved answer to "which customers?".

    `rule` is a tree of conditions compiled to SQL through the registered fields (see services.segments); a
    static segment keeps its members as rows.
    """

    class Kind(models.TextChoices):
        RULE = "rule", _("Rule")
        STATIC = "static", _("Static list")

    name = models.CharField(_("name"), max_length=120, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.RULE)
    rule = models.JSONField(_("rule"), default=dict, blank=True)
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("owner"))
    owner_team = models.ForeignKey(
        Team, models.PROTECT, null=True, related_name="+", verbose_name=_("owning team")
    )
    count = models.BigIntegerField(_("customers"), null=True)
    counted_at = models.DateTimeField(_("counted at"), null=True)
    archived_at = models.DateTimeField(_("archived at"), null=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SegmentMember(models.Model):
    """One customer of a static list."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="members", verbose_name=_("segment"))
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="+", verbose_name=_("customer"))

    class Meta:
        verbose_name = _("list member")
        verbose_name_plural = _("list members")
        constraints = [models.UniqueConstraint(fields=["segment", "customer"], name="customers_member_once")]

    def __str__(self) -> str:
        return f"{self.segment_id} · {self.customer_id}"
