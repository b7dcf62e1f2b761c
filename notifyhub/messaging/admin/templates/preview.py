"""The live parts of the studio: preview, mail frame, choice of the customer."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from notifyhub.core.admin import PageMixin
from notifyhub.customers.models.consent import Channel
from notifyhub.customers.services.search import find_customers
from notifyhub.messaging.admin.templates.studio import (
    LANGUAGES,
    PREHEADER_LENGTH,
    SUBJECT_LENGTH,
    customer_for,
    template_for,
)
from notifyhub.messaging.looks import CHANNEL_ICONS
from notifyhub.messaging.models import Content
from notifyhub.messaging.services.previews import preview_content
from notifyhub.messaging.services.templates.drafts import BODY_LENGTH

# A mail is somebody else's HTML: nothing runs, nothing is fetched, styles and pictures of our own only.
FRAME_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'; sandbox"


def frame_response(html: str) -> HttpResponse:
    """Return the HTML of a mail under its own policy, for an iframe with an empty sandbox."""
    response = HttpResponse(html)
    response["Content-Security-Policy"] = FRAME_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response


def plain_page(text: str) -> str:
    """Return a page with one sentence, for a frame that has nothing to show."""
    from django.utils.html import escape

    return (
        f'<!doctype html><meta charset="utf-8"><p style="font:14px sans-serif;color:#666">{escape(text)}</p>'
    )


def typed_content(request: HttpRequest) -> Content:
    """Return the text in the editor as an unsaved row; an unknown channel or language is the first one."""
    post = request.POST
    channel, language = post.get("channel", ""), post.get("language", "")
    return Content(
        channel=channel if channel in Channel.values else Channel.EMAIL.value,
        language=language if language in LANGUAGES else LANGUAGES[0],
        subject=post.get("subject", "")[:200],
        preheader=post.get("preheader", "")[:200],
        body=post.get("body", "")[:BODY_LENGTH],
        digest_subject=post.get("digest_subject", "")[:200],
        digest_body=post.get("digest_body", "")[:BODY_LENGTH],
    )


class PreviewPart(PageMixin):
    """The text as typed, rendered for the chosen customer, with its checks. Changes nothing."""

    permission_required = "messaging.view_template"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = template_for(request, pk)
        content = typed_content(request)
        customer = customer_for(
            request, request.POST.get("customer", ""), shuffle=bool(request.POST.get("shuffle"))
        )
        preview = preview_content(content=content, template=template, customer=customer)
        context = {
            "template": template,
            "content": content,
            "preview": preview,
            "customer": customer,
            "oob": True,
            "with_subject": content.channel != Channel.SMS,
            "channel_icon": CHANNEL_ICONS[Channel(content.channel)],
            "subject_length": SUBJECT_LENGTH,
            "preheader_length": PREHEADER_LENGTH,
        }
        answer = render(request, "messaging/studio/preview_answer.html", context)
        if preview.rendered is None:
            # The last good preview stays in place; only checks and counts change.
            answer["HX-Reswap"] = "none"
            answer["X-Preview"] = "stale"
        return answer


class MailFrame(PageMixin):
    """The mail as typed, for the sandboxed frame beside the editor. Changes nothing."""

    permission_required = "messaging.view_template"

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        template = template_for(request, pk)
        customer = customer_for(request, request.POST.get("customer", ""))
        preview = preview_content(content=typed_content(request), template=template, customer=customer)
        if preview.rendered is None or preview.rendered.html is None:
            return frame_response(plain_page(preview.error or _("Nothing to show.")))
        return frame_response(preview.rendered.html)


class CustomerChoice(PageMixin):
    """Customers that match what was typed, to choose one for the preview; by POST, so no number is logged."""

    permission_required = ("messaging.view_template", "customers.view_customer")

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        text = request.POST.get("q", "")
        context: dict[str, Any] = {"found": find_customers(text=text, limit=8), "text": text.strip()}
        return render(request, "messaging/studio/customers.html", context)
