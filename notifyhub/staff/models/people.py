"""People, their teams and their roles."""

from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractUser, Group
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless `name` is in the IANA time zone database."""
    if name not in available_timezones():
        raise ValidationError(
            _("“%(name)s” is not a time zone. Write it like Asia/Shanghai."), params={"name": name}
        )


class Team(models.Model):
    """A department or a group within one; every template, campaign, rule and key has an owning team."""

    class Department(models.TextChoices):
        MARKETING = "marketing", _("Marketing")
        SERVICE = "service", _("Customer service")
        OPERATIONS = "operations", _("Operations")
        FINANCE = "finance", _("Finance")
        MERCHANT = "merchant", _("Merchant relations")
        LOGISTICS = "logistics", _("Delivery and logistics")
        OTHER = "other", _("Other")

    name = models.CharField(_("name"), max_length=80, unique=True)
    department = models.CharField(_("department"), max_length=20, choices=Department)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A member of staff. Customers are never users."""

    display_name = models.CharField(_("name"), max_length=80, blank=True)
    language = models.CharField(
        _("language"),
        max_length=10,
        choices=settings.LANGUAGES,
        blank=True,
        help_text=_("Empty: the browser decides."),
    )
    time_zone = models.CharField(
        _("time zone"), max_length=50, default=settings.TIME_ZONE, validators=[validate_time_zone]
    )
    teams = models.ManyToManyField(
        Team, through="Membership", related_name="members", verbose_name=_("teams")
    )

    class Meta:
        verbose_name = _("member of staff")
        verbose_name_plural = _("staff")
        permissions = [("view_operations", _("Can see and steer operations"))]

    def __str__(self) -> str:
        return self.display_name or self.username

    def get_full_name(self) -> str:
        return str(self)


class Membership(models.Model):
    """One person in one team."""

    user = models.ForeignKey(
        User, models.CASCADE, related_name="memberships", verbose_name=_("member of staff")
    )
    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships", verbose_name=_("team"))
    leads = models.BooleanField(_("leads the team"), default=False)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["user", "team"], name="staff_membership_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.team}"


class Role(models.Model):
    """A role's group, and the grants handed to it so far."""

    code = models.CharField(_("code"), max_length=40, unique=True)
    group = models.OneToOneField(Group, models.CASCADE, related_name="role", verbose_name=_("group"))
    synced = ArrayField(models.CharField(max_length=120), default=list, verbose_name=_("grants handed out"))

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")

    def __str__(self) -> str:
        from notifyhub.staff.roles import ROLES

        return str(ROLES.get(self.code, self.code))
