"""What cases are about."""

from django.db import models
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from notifyhub.staff.models import Team


class Severity(models.TextChoices):
    """How bad it is; priority is how soon."""

    S1 = "S1", _("S1 · safety or legal")
    S2 = "S2", _("S2 · serious")
    S3 = "S3", _("S3 · ordinary")
    S4 = "S4", _("S4 · minor")


SERIOUS = (Severity.S1, Severity.S2)


class Category(models.Model):
    """A branch or leaf of the category tree, at most three levels deep.

    The first level is enough when a case is logged; there it has a digit key. Severity and team are what a
    new case starts with; an empty team is inherited from the parent.
    """

    MAX_LEVEL = 3

    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    level = models.PositiveSmallIntegerField(_("level"), default=1, editable=False)
    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=60)
    name_zh = models.CharField(_("Chinese name"), max_length=60, blank=True)
    icon = models.CharField(_("icon"), max_length=40, blank=True, default="label")
    digit = models.PositiveSmallIntegerField(
        _("digit key"), null=True, blank=True, help_text=_("1 to 8, for categories of the first level.")
    )
    severity = models.CharField(_("severity"), max_length=2, choices=Severity, default=Severity.S3)
    team = models.ForeignKey(
        Team, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("team")
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    active = models.BooleanField(_("active"), default=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["level", "position", "id"]
        constraints = [
            models.CheckConstraint(
                name="feedback_category_level_in_tree",
                condition=Q(level=1, parent__isnull=True) | Q(level__in=[2, 3], parent__isnull=False),
            ),
            models.CheckConstraint(
                name="feedback_category_digit_on_first_level",
                condition=Q(digit__isnull=True) | Q(level=1, digit__gte=1, digit__lte=8),
                violation_error_message=_("Digits 1 to 8 belong to categories of the first level."),
            ),
            models.UniqueConstraint(
                fields=["digit"],
                condition=Q(active=True, digit__isnull=False),
                name="feedback_category_digit_once",
                violation_error_message=_("Another category has this code or this digit already."),
            ),
        ]

    def __str__(self) -> str:
        if self.name_zh and (translation.get_language() or "").startswith("zh"):
            return self.name_zh
        return self.name
