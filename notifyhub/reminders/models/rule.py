"""The rule, and the versions of what it does."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from notifyhub.core.flow import Flow
from notifyhub.staff.models import Team, User


class ReminderRule(models.Model):
    """A reminder as its owner knows it: a name, who answers for it, and whether it is at work.

    What it does stands in its versions. `live` is the one by which new occasions begin; those that have sent
    something finish on the version they began with. `version` guards against two people saving at once.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        ARCHIVED = "archived", _("Archived")

    FLOW = Flow(
        {
            State.DRAFT: frozenset({State.ACTIVE, State.ARCHIVED}),
            State.ACTIVE: frozenset({State.PAUSED}),
            State.PAUSED: frozenset({State.ACTIVE, State.ARCHIVED}),
            State.ARCHIVED: frozenset(),
        }
    )

    key = models.SlugField(_("key"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    live = models.ForeignKey(
        "RuleVersion", models.PROTECT, null=True, related_name="+", verbose_name=_("version in force")
    )
    # The ready-made example it was made from, if any.
    example = models.CharField(_("example"), max_length=40, blank=True)
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("owner"))
    owner_team = models.ForeignKey(
        Team, models.PROTECT, null=True, related_name="+", verbose_name=_("owning team")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    planned_at = models.DateTimeField(_("last planned"), null=True)
    activated_at = models.DateTimeField(_("active since"), null=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("reminder rule")
        verbose_name_plural = _("reminder rules")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
