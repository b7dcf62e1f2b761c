"""What is said: a template, its frozen versions, their text by channel and language."""

from datetime import time

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from notifyhub.customers.models import Topic
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.staff.models import Team, User


class Template(models.Model):
    """A named message that staff choose by name and programs by key.

    `gather` says whether its messages may be gathered into a digest, and when that closes by the customer's
    clock; `gather_at` and `gather_weekday` hold as well for customers who wish to have them daily or weekly.
    """

    class Gather(models.TextChoices):
        NEVER = "never", _("Never")
        HOUR = "hour", _("Hourly")
        DAY = "day", _("Daily")
        WEEK = "week", _("Weekly")

    WEEKDAYS = (
        (1, _("Monday")),
        (2, _("Tuesday")),
        (3, _("Wednesday")),
        (4, _("Thursday")),
        (5, _("Friday")),
        (6, _("Saturday")),
        (7, _("Sunday")),
    )

    key = models.SlugField(_("key"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    message_class = models.CharField(_("message class"), max_length=15, choices=MessageClass)
    topic = models.ForeignKey(
        Topic, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("topic")
    )
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("owner"))
    owner_team = models.ForeignKey(
        Team, models.PROTECT, null=True, related_name="+", verbose_name=_("owning team")
    )
    track_links = models.BooleanField(
        _("count clicks"),
        default=True,
        db_default=True,
        help_text=_("Links lead through this house, which counts clicks; never in transactional messages."),
    )
    gather = models.CharField(
        _("gathered"), max_length=5, choices=Gather, default=Gather.NEVER, db_default="never"
    )
    gather_at = models.TimeField(_("at"), default=time(9), db_default=time(9))
    gather_weekday = models.PositiveSmallIntegerField(_("on"), choices=WEEKDAYS, default=1, db_default=1)
    archived_at = models.DateTimeField(_("archived at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed at"), auto_now=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["name"]
        permissions = [("publish_template", gettext_noop("Can publish templates"))]
        constraints = [
            models.CheckConstraint(
                name="messaging_template_topic_unless_transactional",
                condition=Q(message_class="transactional") | Q(topic__isnull=False),
                violation_error_message=_("Choose a topic; only transactional messages go without one."),
            ),
            models.CheckConstraint(
                name="messaging_template_gathers_no_transactional",
                condition=Q(gather="never") | ~Q(message_class="transactional"),
                violation_error_message=_("Transactional messages are never gathered."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(models.Model):
    """One revision: a draft that can be edited, or frozen by publishing."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PUBLISHED = "published", _("Published")
        RETIRED = "retired", _("Replaced")

    template = models.ForeignKey(
        Template, models.CASCADE, related_name="versions", verbose_name=_("template")
    )
    number = models.PositiveIntegerField(_("number"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.DRAFT)
    note = models.CharField(_("what changed"), max_length=200, blank=True)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("written by")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    published_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("published by")
    )
    published_at = models.DateTimeField(_("published at"), null=True)
    digest = models.CharField(_("fingerprint"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("template version")
        verbose_name_plural = _("template versions")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="messaging_version_once"),
            models.UniqueConstraint(
                fields=["template"], condition=Q(state="draft"), name="messaging_version_one_draft"
            ),
            models.UniqueConstraint(
                fields=["template"], condition=Q(state="published"), name="messaging_version_one_published"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"


class Content(models.Model):
    """The text of one version for one channel and one language, in Liquid.

    `compiled` is the body as it is rendered: for mail the sanitised HTML with its styles inlined, made once
    at publishing.
    """

    template_version = models.ForeignKey(
        TemplateVersion, models.CASCADE, related_name="contents", verbose_name=_("template version")
    )
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES)
    subject = models.CharField(_("subject or title"), max_length=200, blank=True)
    preheader = models.CharField(_("preview line"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    compiled = models.TextField(_("compiled text"), blank=True)
    # What is said for several at once; `items` and `count` are its variables.
    digest_subject = models.CharField(
        _("digest subject"), max_length=200, blank=True, default="", db_default=""
    )
    digest_body = models.TextField(_("digest text"), blank=True, default="", db_default="")
    digest_compiled = models.TextField(_("compiled digest text"), blank=True, default="", db_default="")
    variables = ArrayField(models.CharField(max_length=120), default=list, verbose_name=_("variables"))
    version = models.PositiveIntegerField(_("version"), default=1)
    updated_at = models.DateTimeField(_("changed at"), auto_now=True)

    class Meta:
        verbose_name = _("content")
        verbose_name_plural = _("contents")
        ordering = ["channel", "language"]
        constraints = [
            models.UniqueConstraint(
                fields=["template_version", "channel", "language"], name="messaging_content_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} · {self.get_language_display()}"


class Link(models.Model):
    """An address that a version's texts lead to, stored when it is published: clicks go nowhere else."""

    template_version = models.ForeignKey(
        TemplateVersion, models.CASCADE, related_name="links", verbose_name=_("template version")
    )
    number = models.PositiveSmallIntegerField(_("number"))
    url = models.URLField(_("address"), max_length=2000)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        ordering = ["template_version", "number"]
        constraints = [
            models.UniqueConstraint(fields=["template_version", "number"], name="messaging_link_once")
        ]

    def __str__(self) -> str:
        return self.url
