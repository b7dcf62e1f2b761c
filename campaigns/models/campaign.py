"""A campaign: whom, what, by which channels, when."""

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from notifyhub.core.flow import Flow
from notifyhub.messaging.models import Template, TemplateVersion
from notifyhub.staff.models import Team, User


class CampaignQuerySet(models.QuerySet["Campaign"]):
    """Questions about campaigns."""

    def with_last_run(self) -> "CampaignQuerySet":
        """Fetch what the list shows: owner, template, and the runs with their dispatches."""
        from campaigns.models.run import Run

        runs = Run.objects.select_related("dispatch", "launched_by").order_by("-number")
        return self.select_related("owner", "owner_team", "template").prefetch_related(
            models.Prefetch("runs", queryset=runs)
        )


class Campaign(models.Model):
    """The plan of a send: it can be edited while it is a draft, and is launched once.

    `audience` is a rule for customers.services.audiences; `audience_kind` says which form made it.
    `chain` is the channels in order with what each waits for, empty for "those the template has".
    `template_version` is pinned by the launch, so that what was checked is what is sent.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Launched")
        ARCHIVED = "archived", _("Archived")

    class AudienceKind(models.TextChoices):
        ALL = "all", _("All customers")
        CITY = "city", _("Cities")
        TAG = "tag", _("Tags")
        SEGMENT = "segment", _("Segments")

    class Schedule(models.TextChoices):
        NOW = "now", _("At once")
        AT = "at", _("At a set time")

    # A draft that is archived can be taken up again only as a copy: its key may be written down elsewhere.
    FLOW = Flow(
        {
            State.DRAFT: frozenset({State.ACTIVE, State.ARCHIVED}),
            State.ACTIVE: frozenset({State.ARCHIVED}),
            State.ARCHIVED: frozenset(),
        }
    )

    key = models.SlugField(_("key"), max_length=60, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120)
    note = models.CharField(_("note"), max_length=500, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("owner"))
    owner_team = models.ForeignKey(
        Team, models.PROTECT, null=True, related_name="+", verbose_name=_("owning team")
    )
    audience_kind = models.CharField(_("audience"), max_length=10, choices=AudienceKind, blank=True)
    audience = models.JSONField(_("audience rule"), default=dict)
    template = models.ForeignKey(
        Template, models.PROTECT, null=True, related_name="+", verbose_name=_("template")
    )
    template_version = models.ForeignKey(
        TemplateVersion, models.PROTECT, null=True, related_name="+", verbose_name=_("template version")
    )
    chain = models.JSONField(_("channels"), default=list)
    schedule = models.CharField(_("when"), max_length=10, choices=Schedule, default=Schedule.NOW)
    send_at = models.DateTimeField(_("send at"), null=True)
    expires_after = models.DurationField(_("give up after"), default=timedelta(days=1))
    rate_per_second = models.PositiveIntegerField(_("messages a second"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed at"), auto_now=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-id"]
        permissions = [("launch_campaign", gettext_noop("Can launch, pause and cancel campaigns"))]
        indexes = [models.Index(fields=["state", "-id"], name="campaigns_campaign_state")]
        constraints = [
            models.CheckConstraint(
                name="campaigns_campaign_active_has_version",
                condition=~Q(state="active") | Q(template_version__isnull=False),
            ),
            models.CheckConstraint(
                name="campaigns_campaign_active_has_time",
                condition=~Q(state="active", schedule="at") | Q(send_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def editable(self) -> bool:
        """Say whether the plan may still be changed."""
        return self.state == self.State.DRAFT

    @property
    def last_run(self) -> Any:
        """Return the newest run or None; uses the prefetched runs of `with_last_run`."""
        return next(iter(self.runs.all()), None)
