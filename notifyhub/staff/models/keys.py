"""API keys and what makes repeated requests harmless."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from notifyhub.staff.models.people import Team, User


class ApiKey(models.Model):
    """A program's access: a public prefix, the hash of its secret, scopes, an owner."""

    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(_("prefix"), max_length=12, unique=True)
    secret_hash = models.BinaryField(_("secret hash"), max_length=32)
    scopes = ArrayField(models.CharField(max_length=40), verbose_name=_("scopes"))
    owner = models.ForeignKey(User, models.PROTECT, null=True, related_name="+", verbose_name=_("owner"))
    owner_team = models.ForeignKey(
        Team, models.PROTECT, null=True, related_name="+", verbose_name=_("owning team")
    )
    per_minute = models.PositiveIntegerField(_("requests a minute"), default=600)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    version = models.PositiveIntegerField(_("version"), default=1)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class ApiUsage(models.Model):
    """Requests of one key in one minute, counted by an upsert, so that no two workers race."""

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="usage", verbose_name=_("API key"))
    minute = models.DateTimeField(_("minute"))
    count = models.PositiveIntegerField(_("requests"), default=0)

    class Meta:
        verbose_name = _("API usage")
        verbose_name_plural = _("API usage")
        constraints = [models.UniqueConstraint(fields=["key", "minute"], name="staff_usage_once")]

    def __str__(self) -> str:
        return f"{self.key_id} {self.minute}"


class IdempotentRequest(models.Model):
    """The answer to a request with an Idempotency-Key, so that its repetition gets the same one.

    `status` is null while the first request is under way.
    """

    key = models.ForeignKey(ApiKey, models.CASCADE, related_name="+", verbose_name=_("API key"))
    token = models.CharField(_("Idempotency-Key"), max_length=255)
    request_hash = models.BinaryField(_("request hash"), max_length=32)
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    body = models.JSONField(_("answer"), null=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("idempotent request")
        verbose_name_plural = _("idempotent requests")
        constraints = [models.UniqueConstraint(fields=["key", "token"], name="staff_idempotent_once")]
        # For the retention tick.
        indexes = [models.Index(fields=["created_at"], name="staff_idempotent_age")]

    def __str__(self) -> str:
        return self.token
