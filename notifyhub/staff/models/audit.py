"""Who did what: append-only, sealed into a hash chain by the tick."""

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from notifyhub.staff.models.keys import ApiKey
from notifyhub.staff.models.people import User
from notifyhub.staff.verbs import say

# Jumps from one value to the next along an index: a DISTINCT would read the whole trail.
_VALUES = """
    WITH RECURSIVE value AS (
        (SELECT {column} AS v FROM staff_auditentry ORDER BY {column} LIMIT 1)
        UNION ALL
        SELECT (SELECT {column} FROM staff_auditentry WHERE {column} > value.v ORDER BY {column} LIMIT 1)
        FROM value WHERE value.v IS NOT NULL
    )
    SELECT v FROM value WHERE v IS NOT NULL
"""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Questions to the audit trail."""

    def verbs(self) -> list[str]:
        """Return every verb in the trail."""
        return self._values_along_index("verb")

    def object_types(self) -> list[str]:
        """Return every type of object in the trail."""
        return self._values_along_index("object_type")

    def search(self, text: str) -> "AuditQuerySet":
        """Return the entries of that actor (by name), of that verb, or about that object (its id).

        Every branch has an index; names are looked up among people and keys, which are few.
        """
        text = text.strip()
        if not text:
            return self
        named = models.Q(username__icontains=text) | models.Q(display_name__icontains=text)
        people = list(User.objects.filter(named).values_list("pk", flat=True)[:50])
        keys = list(ApiKey.objects.filter(name__icontains=text).values_list("pk", flat=True)[:50])
        verb = text.lower().replace(" ", "_")
        verbs = [known for known in self.verbs() if verb in known]
        kind, _colon, number = text.rpartition(":")
        types = [known for known in self.object_types() if known and kind.lower() in known]
        return self.filter(
            models.Q(actor_kind="staff", actor_id__in=people)
            | models.Q(actor_kind="api", actor_id__in=keys)
            | models.Q(verb__in=verbs)
            | models.Q(object_type__in=types, object_id=number[:60])
        )

    def _values_along_index(self, column: str) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(_VALUES.format(column=column))
            return [value for (value,) in cursor.fetchall()]


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

    objects = AuditQuerySet.as_manager()

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
        return f"{self.actor}: {say(self.verb)}"


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
