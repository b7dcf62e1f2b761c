"""What a provider is asked about."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class LookUp(models.Model):
    """A message in doubt whose provider can be asked what became of it, and when that is next worth asking.

    `account_id` is null when the worker died before it wrote down whom it was talking to. Without `next_at`
    it is settled or given up; a person decides then.
    """

    dispatch_id = models.BigIntegerField(_("dispatch"))
    delivery_id = models.BigIntegerField(_("message"))
    account_id = models.IntegerField(_("provider account"), null=True)
    in_doubt_since = models.DateTimeField(_("in doubt since"))
    asked = models.PositiveSmallIntegerField(_("times asked"), default=0)
    next_at = models.DateTimeField(_("ask again at"), null=True)

    class Meta:
        verbose_name = _("look-up")
        verbose_name_plural = _("look-ups")
        constraints = [
            models.UniqueConstraint(fields=["dispatch_id", "delivery_id"], name="messaging_lookup_once")
        ]
        indexes = [
            models.Index(
                fields=["next_at"], name="messaging_lookup_due", condition=models.Q(next_at__isnull=False)
            ),
            models.Index(fields=["in_doubt_since"], name="messaging_lookup_since"),
        ]

    def __str__(self) -> str:
        return f"{self.dispatch_id}-{self.delivery_id}"
