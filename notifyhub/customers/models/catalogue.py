"""What is known of the events that arrive: names, properties, how many, and what staff say of them."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from notifyhub.staff.models import Team, User


class Sensitivity(models.TextChoices):
    """How carefully a value is shown."""

    NONE = "none", _("Not personal")
    PERSONAL = "personal", _("Personal")
    SENSITIVE = "sensitive", _("Sensitive")


class EventName(models.Model):
    """One name of events: how often it comes, and what staff say it is for.

    The numbers are counted by a tick that follows the events; a name that staff typed ahead has none yet.
    """

    name = models.CharField(_("event"), max_length=80, unique=True)
    purpose = models.CharField(_("what it is for"), max_length=300, blank=True)
    owner = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    owner_team = models.ForeignKey(
        Team, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("owning team")
    )
    keep_days = models.PositiveIntegerField(
        _("keep for days"), null=True, blank=True, validators=[MaxValueValidator(36500)]
    )
    total = models.BigIntegerField(_("in all"), default=0)
    first_at = models.DateTimeField(_("first seen"), null=True)
    last_at = models.DateTimeField(_("last seen"), null=True)
    sources = ArrayField(models.CharField(max_length=40), default=list, verbose_name=_("sources"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("event name")
        verbose_name_plural = _("event names")
        ordering = ["name"]
        indexes = [models.Index(fields=["-total"], name="customers_eventname_total")]

    def __str__(self) -> str:
        return self.name


class EventDay(models.Model):
    """How many events of one name came in on one day of the house's calendar."""

    event = models.ForeignKey(EventName, models.CASCADE, related_name="days", verbose_name=_("event name"))
    day = models.DateField(_("day"))
    count = models.BigIntegerField(_("events"), default=0)

    class Meta:
        verbose_name = _("events of a day")
        verbose_name_plural = _("events of a day")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["event", "day"], name="customers_eventday_once")]

    def __str__(self) -> str:
        return f"{self.event_id} {self.day}"


class EventProperty(models.Model):
    """One property of one event name: how often it is there, of which types, and who may read it."""

    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        BOOLEAN = "boolean", _("Yes or no")
        LIST = "list", _("List")
        OBJECT = "object", _("Object")

    event = models.ForeignKey(
        EventName, models.CASCADE, related_name="properties", verbose_name=_("event name")
    )
    key = models.CharField(_("property"), max_length=80)
    purpose = models.CharField(_("what it is for"), max_length=300, blank=True)
    sensitivity = models.CharField(
        _("sensitivity"), max_length=10, choices=Sensitivity, default=Sensitivity.NONE
    )
    expected = models.CharField(_("expected type"), max_length=10, choices=Kind, blank=True)
    texts = models.BigIntegerField(_("texts"), default=0)
    numbers = models.BigIntegerField(_("numbers"), default=0)
    booleans = models.BigIntegerField(_("yes or no"), default=0)
    lists = models.BigIntegerField(_("lists"), default=0)
    records = models.BigIntegerField(_("objects"), default=0)
    nulls = models.BigIntegerField(_("empty"), default=0)
    examples = ArrayField(models.CharField(max_length=80), default=list, verbose_name=_("examples"))
    last_at = models.DateTimeField(_("last seen"), null=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("event property")
        verbose_name_plural = _("event properties")
        ordering = ["key"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["event", "key"], name="customers_eventproperty_once")]
        indexes = [
            # For the mask, which is read on every page that shows properties.
            models.Index(
                fields=["event"], name="customers_property_masked", condition=~models.Q(sensitivity="none")
            )
        ]

    def __str__(self) -> str:
        return self.key


class EventMapping(models.Model):
    """What another system's name is called here, and its properties; wins over the built-in ones."""

    told = models.CharField(_("their name"), max_length=200, unique=True)
    name = models.CharField(_("our event"), max_length=80)
    properties = models.JSONField(_("their properties"), default=dict)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    version = models.PositiveIntegerField(_("version"), default=1)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("event mapping")
        verbose_name_plural = _("event mappings")
        ordering = ["told"]

    def __str__(self) -> str:
        return self.told
