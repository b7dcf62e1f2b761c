"""Who did what: append-only, sealed into a hash chain by the tick."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """One act of a member of staff, an API key or the system. A trigger refuses UPDATE and DELETE.

    `detail` never holds personal data: erasing a customer must not need a change here.
    """

    class ActorKind(models.TextChoices):
        STAFF = "staff", _("Staff")
        API = "api", _("API key")
        SYSTEM = "system", _("System")

    at = models.DateTimeField(_("at"), auto_now_add=True)
    actor_kind = models.CharField(_("actor kind"), max_length=10, choices=ActorKind)
    actor_id = models.BigIntegerField(_("actor id"), null=True)
    actor = models.CharField(_("actor"), max_length=120)
    verb = models.CharField(_("verb"), max_length=60)
    object_type = models.CharField(_("object type"), max_length=60, blank=True)
    object_id = models.CharField(_("object id"), max_length=60, blank=True)
    object_label = models.CharField(_("object"), max_length=200, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    detail = models.JSONField(_("detail"), default=dict)
    ip = models.GenericIPAddressField(_("IP address"), null=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        ordering = ["-id"]
        indexes = [
            # For the object's own history and for the audit page's search by object.
            models.Index(fields=["object_type", "object_id", "-id"], name="staff_audit_object"),
            # For "what did this person do" and for the limit on reveals.
            models.Index(fields=["actor_kind", "actor_id", "verb", "-at"], name="staff_audit_actor"),
            models.Index(fields=["verb", "-id"], name="staff_audit_verb"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.verb} {self.object_label}"


class AuditLink(models.Model):
    """The seal of one entry: its place in the chain and the hash over it and its predecessor.

    Kept beside the entry, since entries commit in another order than their ids were drawn.
    """

    place = models.BigIntegerField(_("place"), primary_key=True)
    entry = models.OneToOneField(AuditEntry, models.DO_NOTHING, related_name="link", verbose_name=_("entry"))
    digest = models.BinaryField(_("digest"), max_length=32)
    sealed_at = models.DateTimeField(_("sealed at"), auto_now_add=True)

    class Meta:
        verbose_name = _("audit seal")
        verbose_name_plural = _("audit seals")

    def __str__(self) -> str:
        return str(self.place)
