"""Freezing a draft into the version that is sent."""

import hashlib
import json

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.models import Content, Link, TemplateVersion
from notifyhub.messaging.rendering.digest import digest_of as digest_text
from notifyhub.messaging.rendering.html import compile_html
from notifyhub.messaging.services.templates.checks import ERROR, check_version, variables_of_content
from notifyhub.messaging.services.templates.drafts import lock_template
from notifyhub.messaging.tracking.rewriting import Addresses, rewrite_html, rewrite_text
from notifyhub.staff.models import User
from notifyhub.staff.services import audit

State = TemplateVersion.State
LANGUAGE_NAMES = dict(settings.LANGUAGES)


def digest_of(contents: list[Content]) -> str:
    """Return the fingerprint of what a version says; an approval binds to it."""
    said = [
        [one.channel, one.language, one.subject, one.preheader, one.body, one.compiled]
        # What has no digest text keeps the fingerprint it always had.
        + ([one.digest_subject, one.digest_body] if one.digest_body else [])
        for one in sorted(contents, key=lambda one: (one.channel, one.language))
    ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def _refuse_errors(draft: TemplateVersion) -> None:
    findings = check_version(version=draft)
    if not findings:
        raise Refused(_("There is no text yet. Write one and publish then."))
    wrong = [
        f"{Channel(channel).label} · {LANGUAGE_NAMES.get(language, language)}: {one.text}"
        for (channel, language), checks in sorted(findings.items())
        for one in checks
        if one.level == ERROR
    ]
    if wrong:
        raise Refused(_("Not published yet.") + " " + " ".join(wrong))


def _compile(draft: TemplateVersion, contents: list[Content]) -> None:
    """Do once what must not be done per message, and store the addresses that the texts lead to."""
    template = draft.template
    way_out = template.message_class != MessageClass.TRANSACTIONAL
    tracked = way_out and template.track_links
    addresses = Addresses()
    for content in contents:
        content.variables = [path[:120] for path in variables_of_content(content)]
        content.compiled = _compiled(content, addresses if tracked else None, way_out=way_out)
        if content.digest_body:
            several = digest_text(content)
            content.digest_compiled = _compiled(several, addresses if tracked else None, way_out=way_out)
    Content.objects.bulk_update(contents, ["variables", "compiled", "digest_compiled"])
    Link.objects.bulk_create(
        Link(template_version=draft, number=number, url=url) for number, url in enumerate(addresses.urls)
    )


def _compiled(content: Content, addresses: Addresses | None, *, way_out: bool) -> str:
    """Return the text as it is rendered; with `addresses` its links are counted. "" stands for the body."""
    if content.channel != Channel.EMAIL:
        return rewrite_text(content.body, addresses) if addresses is not None else ""
    page = compile_html(
        body=content.body, preheader=content.preheader, language=content.language, opt_out=way_out
    )
    return rewrite_html(page, addresses) if addresses is not None else page


@transaction.atomic
def publish(
    *, template_id: int, note: str = "", number: int | None = None, user: User | None = None
) -> TemplateVersion:
    """Freeze the draft, make it the one that is sent, and return it.

    `number` is the draft the person looked at; another one is a Conflict. Raises Refused with every error of
    its texts. The version sent so far is replaced; dispatches that name it go on with it.
    """
    template = lock_template(template_id)
    draft = template.versions.filter(state=State.DRAFT).first()
    if draft is None:
        raise Refused(_("There is no draft to publish."))
    if number is not None and draft.number != number:
        raise Conflict(_("The draft was published meanwhile. Open the template again."), current=draft.number)
    _refuse_errors(draft)
    contents = list(draft.contents.all())
    _compile(draft, contents)
    template.versions.filter(state=State.PUBLISHED).update(state=State.RETIRED)
    moved = TemplateVersion.objects.filter(pk=draft.pk, state=State.DRAFT).update(
        state=State.PUBLISHED,
        note=note[:200],
        published_by=user,
        published_at=timezone.now(),
        digest=digest_of(contents),
    )
    if not moved:
        raise Conflict(_("The draft was published meanwhile. Open the template again."))
    audit.record(verb="publish_template", obj=template, number=draft.number, note=note[:200])
    draft.refresh_from_db()
    return draft
