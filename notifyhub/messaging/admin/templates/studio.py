"""The studio: one template's texts by channel and language, its versions, and who uses it."""

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import TemplateView

from notifyhub.core.admin import PageMixin
from notifyhub.core.numbers import read_number
from notifyhub.customers.models import Customer, Topic
from notifyhub.customers.models.consent import Channel
from notifyhub.customers.services.traits.catalogue import TRAITS
from notifyhub.messaging.looks import CHANNEL_ICONS, CLASS_TONES, LANGUAGE_SHORT, VERSION_TONES
from notifyhub.messaging.models import Content, Dispatch, Template, TemplateVersion
from notifyhub.messaging.services.previews import preview_content, random_customer, sample_customer
from notifyhub.messaging.services.templates import check_version
from notifyhub.messaging.services.templates.checks import Check
from notifyhub.messaging.services.trials import CHANNELS as TEST_CHANNELS
from notifyhub.staff.models import Team

State = TemplateVersion.State
LANGUAGES = tuple(code for code, _name in settings.LANGUAGES)
LANGUAGE_NAMES = dict(settings.LANGUAGES)
SUBJECT_LENGTH = 60
PREHEADER_LENGTH = 90
COMMON_VARIABLES = ("customer.name", "customer.city", "customer.number")


@dataclass(kw_only=True)
class Cell:
    """One place of the matrix."""

    channel: str
    language: str
    url: str
    state: str  # ok, warning, error, empty
    current: bool


@dataclass(kw_only=True)
class Studio:
    """Everything the studio's parts show of one template, one version and one text."""

    template: Template
    version: TemplateVersion
    draft: TemplateVersion | None
    live: TemplateVersion | None
    channel: str
    language: str
    content: Content | None
    contents: dict[tuple[str, str], Content]
    findings: dict[tuple[str, str], list[Check]]
    read_only: bool
    versions: list[TemplateVersion] = field(default_factory=list)

    @property
    def with_subject(self) -> bool:
        return self.channel != Channel.SMS

    def url(self, channel: str, language: str) -> str:
        """Return the address of one text, of the same version if that is a frozen one."""
        base = reverse("admin:messaging_template_change", args=[self.template.pk])
        old = f"&v={self.version.number}" if self.read_only else ""
        return f"{base}?channel={channel}&language={language}{old}"

    def rows(self) -> list[tuple[str, Any, str, list[Cell]]]:
        """Return (channel, label, icon, cells) for the matrix."""
        return [
            (
                name,
                Channel(name).label,
                CHANNEL_ICONS[Channel(name)],
                [self._cell(name, code) for code in LANGUAGES],
            )
            for name in Channel.values
        ]

    def _cell(self, channel: str, language: str) -> Cell:
        checks = self.findings.get((channel, language))
        levels = {check.level for check in checks or ()}
        state = next((level for level in ("error", "warning") if level in levels), "ok")
        return Cell(
            channel=channel,
            language=language,
            url=self.url(channel, language),
            state=state if checks is not None else "empty",
            current=(channel, language) == (self.channel, self.language),
        )

    @property
    def worst(self) -> list[tuple[str, Check]]:
        """Return what stands against publishing, errors first, with the name of its text."""
        found = [
            (f"{Channel(channel).label} · {LANGUAGE_SHORT.get(language, language)}", check)
            for (channel, language), checks in self.findings.items()
            for check in checks
            if check.level != "ok"
        ]
        return sorted(found, key=lambda pair: pair[1].level)


def template_for(request: HttpRequest, pk: Any) -> Template:
    """Return the template or 404; every holder of view_template sees every template."""
    try:
        return get_object_or_404(Template.objects.select_related("topic", "owner", "owner_team"), pk=int(pk))
    except (ValueError, OverflowError) as error:
        raise Http404 from error


def open_studio(*, template: Template, channel: str = "", language: str = "", number: str = "") -> Studio:
    """Return the studio's state: the wanted version (else draft, else live) and text (else its first one)."""
    versions = list(template.versions.select_related("created_by", "published_by").order_by("-number"))
    for version in versions:
        version.template = template
    draft = next((one for one in versions if one.state == State.DRAFT), None)
    live = next((one for one in versions if one.state == State.PUBLISHED), None)
    wanted = next((one for one in versions if str(one.number) == number), None)
    if number and wanted is None:
        raise Http404
    version = wanted or draft or live or versions[0]
    contents = {(one.channel, one.language): one for one in version.contents.all()}
    if channel not in Channel.values or language not in LANGUAGES:
        channel, language = next(iter(sorted(contents)), (Channel.EMAIL.value, LANGUAGES[0]))
    return Studio(
        template=template,
        version=version,
        draft=draft,
        live=live,
        channel=channel,
        language=language,
        content=contents.get((channel, language)),
        contents=contents,
        findings=check_version(version=version),
        # The live version is edited into a draft by saving; replaced ones are for reading.
        read_only=version.state == State.RETIRED or (wanted is not None and wanted.state != State.DRAFT),
        versions=versions,
    )


def studio_context(request: HttpRequest, studio: Studio) -> dict[str, Any]:
    """Return what the studio's fragments need."""
    user: Any = request.user
    may_edit = user.has_perm("messaging.change_template") and not studio.template.archived_at
    return {
        "studio": studio,
        "template": studio.template,
        "editable": may_edit and not studio.read_only,
        "may_edit": may_edit,
        "may_publish": user.has_perm("messaging.publish_template") and not studio.template.archived_at,
        "languages": [LANGUAGE_SHORT.get(code, code) for code in LANGUAGES],
        "version_tones": VERSION_TONES,
        "class_tone": CLASS_TONES[studio.template.message_class],  # type: ignore[index]
        "channel_label": Channel(studio.channel).label,
        "channel_icon": CHANNEL_ICONS[Channel(studio.channel)],
        "subject_length": SUBJECT_LENGTH,
        "preheader_length": PREHEADER_LENGTH,
        "trait_chips": trait_chips(),
        "testable": may_edit and not studio.read_only and studio.channel in TEST_CHANNELS,
    }


def trait_chips() -> list[tuple[str, Any, Any, Any]]:
    """Return (path, label, example, formula) of each trait that a text can read."""
    return [
        (f"customer.traits.{name}", trait.label, trait.example, trait.formula)
        for name, trait in TRAITS.items()
    ]


def customer_for(request: HttpRequest, value: str = "", *, shuffle: bool = False) -> Customer:
    """Return the customer to preview for: the chosen one, else some one; an invented one for those who may
    not see customers."""
    if not request.user.has_perm("customers.view_customer"):
        return sample_customer()
    chosen = None
    if (number := read_number(value)) is not None and not shuffle:
        chosen = Customer.objects.filter(pk=number, state=Customer.State.ACTIVE).first()
    return chosen or random_customer() or sample_customer()


class StudioPage(PageMixin, TemplateView):
    """Matrix, editor, checks, preview, versions."""

    template_name = "messaging/studio/page.html"
    permission_required = "messaging.view_template"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        template = template_for(self.request, self.kwargs["pk"])
        get = self.request.GET
        studio = open_studio(
            template=template,
            channel=get.get("channel", ""),
            language=get.get("language", ""),
            number=get.get("v", ""),
        )
        self.title = template.name
        self.crumbs = [(_("Templates"), reverse("admin:messaging_template_changelist")), (template.name, "")]
        context = studio_context(self.request, studio)
        customer = customer_for(self.request)
        if studio.content is not None:
            context["preview"] = preview_content(content=studio.content, template=template, customer=customer)
            context["variable_chips"] = list(
                dict.fromkeys([*COMMON_VARIABLES, *(line.path for line in context["preview"].variables)])
            )
        used = Dispatch.objects.filter(template_version__template=template).order_by("-id")
        return super().get_context_data(
            **context,
            customer=customer,
            topics=Topic.objects.filter(message_class=template.message_class, active=True),
            teams=Team.objects.filter(active=True),
            used_by=used.only("id", "title", "state", "sent", "created_at")[:5],
            copies_from=[
                (channel, language, f"{Channel(channel).label} · {LANGUAGE_NAMES.get(language, language)}")
                for channel, language in [key for key in sorted(studio.contents) if key[0] == studio.channel]
                or sorted(studio.contents)
            ],
            **kwargs,
        )
