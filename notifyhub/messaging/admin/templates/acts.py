"""What the studio does: each view checks a permission and calls one service."""

from datetime import time
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.admin import PageMixin
from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.numbers import read_number
from notifyhub.customers.models import Topic
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.admin.templates.studio import (
    LANGUAGES,
    customer_for,
    open_studio,
    studio_context,
    template_for,
)
from notifyhub.messaging.models import Content, Template
from notifyhub.messaging.rendering.html import is_html
from notifyhub.messaging.rendering.plain import html_to_text
from notifyhub.messaging.services import templates as service
from notifyhub.messaging.services.trials import send_test
from notifyhub.staff.models import Team


def _studio_url(template: Template, channel: str = "", language: str = "") -> str:
    base = reverse("admin:messaging_template_change", args=[template.pk])
    return f"{base}?channel={channel}&language={language}" if channel else base


class Act(PageMixin):
    """A POST of the studio that ends on the studio again, with a word on what happened."""

    permission_required = "messaging.change_template"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = template_for(request, pk)
        channel, language = request.POST.get("channel", ""), request.POST.get("language", "")
        if channel not in Channel.values or language not in LANGUAGES:
            channel = language = ""
        try:
            done = self.act(request, template, channel, language)
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            if done:
                messages.success(request, done)
        return redirect(_studio_url(template, channel, language))

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        """Do it; return what to say, or nothing."""
        raise Refused(_("This cannot be done."))


class SaveText(Act):
    """Saves the text in the editor. To htmx it answers with the changed parts, so that the cursor stays."""

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        self._save(request, template, channel, language)
        return _("Saved.")

    def _save(self, request: HttpRequest, template: Template, channel: str, language: str) -> Content:
        if not channel:
            raise Refused(_("Choose a channel and a language."))
        post = request.POST
        return service.save_content(
            template_id=template.pk,
            channel=channel,
            language=language,
            subject=post.get("subject", ""),
            preheader=post.get("preheader", ""),
            # Browsers send CRLF; a template keeps its lines as they were typed.
            body=post.get("body", "").replace("\r\n", "\n"),
            digest_subject=post.get("digest_subject"),
            digest_body=post["digest_body"].replace("\r\n", "\n") if "digest_body" in post else None,
            version=read_number(post.get("version"), digits=9) or 0,
            author=request.user,  # type: ignore[arg-type]
        )

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not request.headers.get("HX-Request"):
            return super().post(request, pk)
        template = template_for(request, pk)
        channel, language = request.POST.get("channel", ""), request.POST.get("language", "")
        if channel not in Channel.values or language not in LANGUAGES:
            channel = language = ""
        refusal: Refused | None = None
        content = None
        try:
            content = self._save(request, template, channel, language)
        except Refused as raised:
            refusal = raised
        studio = open_studio(template=template, channel=channel, language=language)
        context = {
            **studio_context(request, studio),
            "oob": True,
            "saved_at": timezone.now() if content else None,
            "text_version": content.version if content else None,
            "refusal": refusal,
            "other_url": studio.url(studio.channel, studio.language),
            "conflict": studio.content if isinstance(refusal, Conflict) else None,
        }
        status = 200 if refusal is None else 409 if isinstance(refusal, Conflict) else 422
        return render(request, "messaging/studio/saved.html", context, status=status)


class StartText(Act):
    """Begins the text of an empty cell: blank, or as a copy of another one."""

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        if not channel:
            raise Refused(_("Choose a channel and a language."))
        source = request.POST.get("source", "").split(":")
        studio = open_studio(template=template)
        copied = studio.contents.get((source[0], source[1])) if len(source) == 2 else None
        mail = channel == Channel.EMAIL
        body = copied.body if copied else ""
        service.save_content(
            template_id=template.pk,
            channel=channel,
            language=language,
            subject=copied.subject if copied else "",
            preheader=copied.preheader if copied and mail else "",
            body=body if mail or not is_html(body) else html_to_text(body),
            version=0,
            author=request.user,  # type: ignore[arg-type]
        )
        return _("Copied. Now change what differs.") if copied else ""


class RemoveText(Act):
    """Takes one text out of the draft."""

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        removed = service.remove_content(
            template_id=template.pk,
            channel=channel,
            language=language,
            author=request.user,  # type: ignore[arg-type]
        )
        return _("Removed from the draft.") if removed else ""


class OpenDraft(Act):
    """Makes a draft of the live version."""

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        draft = service.open_draft(template_id=template.pk, author=request.user)  # type: ignore[arg-type]
        return _("Draft v%d is open.") % draft.number


class DiscardDraft(Act):
    """Throws the draft away."""

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        return _("Draft v%d is discarded.") % service.discard_draft(template_id=template.pk)


class Archive(Act):
    """Hides the template from choice, or shows it again."""

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        archived = service.archive_template(template_id=template.pk, archived=not template.archived_at)
        return _("Archived: it is no longer offered.") if archived else _("It is offered again.")


class Settings(Act):
    """Name, topic and owning team."""

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        post = request.POST
        name = post.get("name", "").strip()[:120]
        if not name:
            raise Refused(_("Give it a name."))
        changes: dict[str, Any] = {"name": name}
        if "topic" in post:
            changes["topic"] = Topic.objects.filter(pk=read_number(post["topic"], digits=9) or 0).first()
        if "owner_team" in post:
            changes["owner_team"] = Team.objects.filter(
                pk=read_number(post["owner_team"], digits=9) or 0
            ).first()
        if "tracking_shown" in post:
            changes["track_links"] = "track_links" in post
        if "gather" in post:
            changes |= _gathering(post)
        service.update_template(
            template_id=template.pk,
            changes=changes,
            version=read_number(post.get("expected_version"), digits=9),
        )
        return _("Saved.")


def _gathering(post: Any) -> dict[str, Any]:
    """Return how often its messages are gathered, as the form says; raise Refused for what is no time."""
    try:
        at = time.fromisoformat(post.get("gather_at") or "09:00")
    except ValueError as error:
        raise Refused(
            _("Write the time of day as hours and minutes, such as 09:00."), field="gather_at"
        ) from error
    return {
        "gather": post["gather"],
        "gather_at": at.replace(second=0, microsecond=0, tzinfo=None),
        "gather_weekday": read_number(post.get("gather_weekday"), digits=9) or 0,
    }


class TestSend(Act):
    """Sends the saved text to the typed mailbox or phone, filled in for the chosen customer."""

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        studio = open_studio(template=template, channel=channel, language=language)
        if studio.content is None:
            raise Refused(_("There is no text here yet."))
        user: Any = request.user
        to = request.POST.get("to", "").strip()
        send_test(
            template=template,
            content=studio.content,
            customer=customer_for(request, request.POST.get("customer", "")),
            to=to,
            user=user,
        )
        return _("On its way. What went to the sandbox is shown on its page.")


class Publish(Act):
    """Freezes the draft."""

    permission_required = "messaging.publish_template"

    def act(self, request: HttpRequest, template: Template, channel: str, language: str) -> str:
        version = service.publish(
            template_id=template.pk,
            note=request.POST.get("note", "").strip(),
            number=read_number(request.POST.get("number"), digits=9),
            user=request.user,  # type: ignore[arg-type]
        )
        return _("v%d is live.") % version.number
