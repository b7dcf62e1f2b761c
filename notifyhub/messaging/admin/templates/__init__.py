"""Templates: the list, the page for a new one, and the studio."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display

from notifyhub.core.admin import CappedPaginator
from notifyhub.core.templatetags.nh import chip, when
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.admin.templates import acts, preview, studio
from notifyhub.messaging.admin.templates.create import CreatePage
from notifyhub.messaging.looks import CHANNEL_ICONS, CLASS_TONES, LANGUAGE_SHORT
from notifyhub.messaging.models import Content, Template, TemplateVersion

State = TemplateVersion.State


class ArchivedFilter(admin.SimpleListFilter):
    """Hides archived templates unless asked for."""

    title = gettext_lazy("shown")
    parameter_name = "shown"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("archived", gettext_lazy("Archived"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Template]) -> QuerySet[Template]:
        return queryset.filter(archived_at__isnull=self.value() != "archived")


@admin.register(Template)
class TemplateAdmin(ModelAdmin):
    """The list of templates; a row opens the studio."""

    list_display = (
        "shown_name",
        "shown_class",
        "topic",
        "shown_texts",
        "shown_version",
        "owner_team",
        "changed",
    )
    list_display_links = ("shown_name",)
    list_filter = ("message_class", "owner_team", ArchivedFilter)
    search_fields = ("name", "key")
    search_help_text = gettext_lazy("Name or key")
    list_select_related = ("topic", "owner_team")
    list_per_page = 25
    show_full_result_count = False
    paginator = CappedPaginator
    actions = None
    ordering = ("-updated_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        contents = Content.objects.only("template_version_id", "channel", "language")
        versions = (
            TemplateVersion.objects.exclude(state=State.RETIRED)
            .order_by("-number")
            .prefetch_related(Prefetch("contents", queryset=contents))
        )
        return super().get_queryset(request).prefetch_related(Prefetch("versions", versions, to_attr="live"))

    @display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, template: Template) -> SafeString:
        return format_html(
            '{}<br><span class="nh-muted nh-small nh-mono">{}</span>', template.name, template.key
        )

    @display(description=gettext_lazy("message class"), ordering="message_class")
    def shown_class(self, template: Template) -> SafeString:
        return chip(template.get_message_class_display(), CLASS_TONES[template.message_class])  # type: ignore[index]

    @display(description=gettext_lazy("texts"))
    def shown_texts(self, template: Any) -> SafeString:
        cells: dict[str, list[str]] = {}
        for content in template.live[0].contents.all() if template.live else ():
            cells.setdefault(content.channel, []).append(
                LANGUAGE_SHORT.get(content.language, content.language)
            )
        return mark_safe(
            " ".join(
                format_html(
                    '<span class="nh-chip" title="{}"><span class="material-symbols-outlined nh-icon" '
                    'aria-hidden="true">{}</span>{}</span>',
                    Channel(name).label,
                    CHANNEL_ICONS[Channel(name)],
                    " ".join(languages),
                )
                for name, languages in sorted(cells.items())
            )
        )

    @display(description=gettext_lazy("version"))
    def shown_version(self, template: Any) -> SafeString:
        parts = []
        for version in template.live:
            if version.state == State.PUBLISHED:
                parts.append(chip(_("v%d live") % version.number, "green"))
            else:
                parts.append(chip(_("v%d draft") % version.number, "orange"))
        return mark_safe(" ".join(parts))

    @display(description=gettext_lazy("changed"), ordering="updated_at")
    def changed(self, template: Template) -> str:
        return when(template.updated_at)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return CreatePage.as_view(model_admin=self)(request)  # type: ignore[return-value]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return studio.StudioPage.as_view(model_admin=self)(request, pk=object_id)  # type: ignore[return-value]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        def page(route: str, view: Any, name: str) -> Any:
            bound = self.admin_site.admin_view(view.as_view(model_admin=self))
            return path(f"<int:pk>/{route}/", bound, name=f"messaging_template_{name}")

        return [
            page("save", acts.SaveText, "save"),
            page("text", acts.StartText, "start"),
            page("text/remove", acts.RemoveText, "remove"),
            page("draft", acts.OpenDraft, "draft"),
            page("discard", acts.DiscardDraft, "discard"),
            page("publish", acts.Publish, "publish"),
            page("test", acts.TestSend, "test"),
            page("settings", acts.Settings, "settings"),
            page("archive", acts.Archive, "archive"),
            page("preview", preview.PreviewPart, "preview"),
            page("mail", preview.MailFrame, "mail"),
            page("customers", preview.CustomerChoice, "customers"),
            *super().get_urls(),
        ]
