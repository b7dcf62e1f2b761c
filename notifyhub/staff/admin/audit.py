"""The audit trail, to read."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from notifyhub.core.admin import LedgerAdmin
from notifyhub.core.templatetags.nh import chip, fact_time
from notifyhub.staff.models import AuditEntry, AuditLink
from notifyhub.staff.verbs import say


class VerbFilter(admin.SimpleListFilter):
    """Entries of one verb."""

    title = gettext_lazy("act")
    parameter_name = "verb"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(verb, say(verb)) for verb in AuditEntry.objects.verbs()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(verb=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(LedgerAdmin):
    """Who did what, and whether it is sealed."""

    list_display = ("shown_at", "shown_actor", "shown_verb", "shown_object", "reason", "seal")
    list_filter = ("actor_kind", VerbFilter)
    list_select_related = ("link",)
    # Only opens the box: AuditQuerySet.search decides what it means.
    search_fields = ("verb",)
    search_help_text = gettext_lazy("A person, a key, an act, or an object's number")
    fields = (
        "shown_at",
        "shown_actor",
        "actor_kind",
        "ip",
        "shown_verb",
        "shown_object",
        "object_type",
        "object_id",
        "reason",
        "shown_detail",
        "shown_seal",
    )
    readonly_fields = fields
    ordering = ("-id",)
    sortable_by = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        found = AuditEntry.objects.search(search_term)
        return (queryset.filter(pk__in=found.values("pk")) if search_term.strip() else queryset), False

    @display(description=gettext_lazy("at"))
    def shown_at(self, entry: AuditEntry) -> str | SafeString:
        return fact_time(entry.at)

    @display(description=gettext_lazy("actor"))
    def shown_actor(self, entry: AuditEntry) -> str:
        # The system's own names are words of ours; those of people and keys are theirs.
        if entry.actor_kind == AuditEntry.ActorKind.SYSTEM:
            return _("Visitor") if entry.actor == "visitor" else _("System")
        return entry.actor

    @display(description=gettext_lazy("act"))
    def shown_verb(self, entry: AuditEntry) -> str:
        return say(entry.verb)

    @display(description=gettext_lazy("object"))
    def shown_object(self, entry: AuditEntry) -> str:
        return entry.object_label or f"{entry.object_type} {entry.object_id}".strip() or "—"

    @display(description=gettext_lazy("seal"))
    def seal(self, entry: AuditEntry) -> SafeString:
        link = _link_of(entry)
        if link is None:
            return chip(_("Waiting"), "grey")
        return chip(f"#{link.place}", "green", "lock")

    @display(description=gettext_lazy("detail"))
    def shown_detail(self, entry: AuditEntry) -> SafeString | str:
        if not entry.detail:
            return "—"
        text = json.dumps(entry.detail, ensure_ascii=False, indent=2, sort_keys=True)
        return format_html('<pre class="nh-mono staff-detail">{}</pre>', text)

    @display(description=gettext_lazy("seal"))
    def shown_seal(self, entry: AuditEntry) -> SafeString | str:
        link = _link_of(entry)
        if link is None:
            return _("Waits for the next tick")
        return format_html(
            '{} · {}<br><span class="nh-mono staff-detail">{}</span>',
            _("Place %(place)d") % {"place": link.place},
            fact_time(link.sealed_at),
            bytes(link.digest).hex(),
        )


def _link_of(entry: AuditEntry) -> AuditLink | None:
    return getattr(entry, "link", None)
