"""Templates and their drafts."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.keys import create_with_key
from notifyhub.customers.models import Topic
from notifyhub.customers.models.consent import MessageClass
from notifyhub.messaging.models import Content, Template, TemplateVersion
from notifyhub.staff.models import Team, User
from notifyhub.staff.services import audit

BODY_LENGTH = 200_000
GATHERING = ("gather", "gather_at", "gather_weekday")
EDITABLE = ("name", "topic", "owner", "owner_team", "track_links", *GATHERING)
State = TemplateVersion.State
Gather = Template.Gather
TRANSACTIONAL = MessageClass.TRANSACTIONAL


def _check_topic(*, message_class: str, topic: Topic | None) -> None:
    if topic is None:
        if message_class != MessageClass.TRANSACTIONAL:
            raise Refused(_("Choose a topic; only transactional messages go without one."), field="topic")
    elif topic.message_class != message_class:
        raise Refused(
            _("The topic “%(topic)s” belongs to another message class. Choose one of the same class.")
            % {"topic": topic},
            field="topic",
        )


@transaction.atomic
def create_template(
    *,
    name: str,
    message_class: str,
    channel: str,
    language: str,
    topic: Topic | None = None,
    key: str = "",
    owner: User | None = None,
    owner_team: Team | None = None,
) -> Template:
    """Create a template with an empty draft for its first channel and language; return it.

    Raises Refused if the key is taken or the topic does not fit the class.
    """
    _check_topic(message_class=message_class, topic=topic)
    values: dict[str, Any] = {
        "name": name,
        "message_class": message_class,
        "topic": topic,
        "owner": owner,
        "owner_team": owner_team,
    }
    if not key:
        template = create_with_key(Template.objects.all(), fallback="template", **values)
    else:
        try:
            with transaction.atomic():
                template = Template.objects.create(key=key, **values)
        except IntegrityError as error:
            raise Refused(_("Another template has this key. Choose another one."), field="key") from error
    draft = TemplateVersion.objects.create(template=template, number=1, created_by=owner)
    Content.objects.create(template_version=draft, channel=channel, language=language)
    audit.record(verb="create_template", obj=template, key=template.key, message_class=message_class)
    return template


@transaction.atomic
def update_template(*, template_id: int, changes: dict[str, Any], version: int | None) -> Template:
    """Write name, topic, owner or team if the row still has `version`; return it. Raises Conflict."""
    template = lock_template(template_id)
    changes = {name: value for name, value in changes.items() if name in EDITABLE}
    if "topic" in changes:
        _check_topic(message_class=template.message_class, topic=changes["topic"])
    if changes.get("gather", Gather.NEVER) != Gather.NEVER and template.message_class == TRANSACTIONAL:
        raise Refused(_("Transactional messages are never gathered."), field="gather")
    if changes.get("gather", Gather.NEVER) not in Gather.values or changes.get(
        "gather_weekday", 1
    ) not in range(1, 8):
        raise Refused(_("Choose how often its messages are gathered."), field="gather")
    rows = Template.objects.filter(pk=template_id)
    if version is not None:
        rows = rows.filter(version=version)
    if not rows.update(**changes, version=F("version") + 1, updated_at=timezone.now()):
        raise Conflict(
            _("Somebody changed this template meanwhile. Your entries are kept; compare and save again."),
            current=template.version,
        )
    audit.record(verb="update_template", obj=template, fields=sorted(changes))
    template.refresh_from_db()
    return template


@transaction.atomic
def archive_template(*, template_id: int, archived: bool = True) -> datetime | None:
    """Hide a template from choice, or show it again; return since when it is hidden."""
    template = lock_template(template_id)
    at = timezone.now() if archived else None
    Template.objects.filter(pk=template_id).update(archived_at=at, version=F("version") + 1)
    audit.record(verb="archive_template" if archived else "restore_template", obj=template)
    return at


def lock_template(template_id: int) -> Template:
    """Return the template, locked: drafts of one template are made and published one after the other."""
    template = Template.objects.select_for_update().filter(pk=template_id).first()
    if template is None:
        raise Refused(_("This template no longer exists."))
    return template


@transaction.atomic
def open_draft(*, template_id: int, author: User | None = None) -> TemplateVersion:
    """Return the template's draft; without one it is made as a copy of the published version."""
    template = lock_template(template_id)
    draft = template.versions.filter(state=State.DRAFT).first()
    if draft is not None:
        return draft
    latest = template.versions.order_by("-number").first()
    draft = TemplateVersion.objects.create(
        template=template, number=(latest.number if latest else 0) + 1, created_by=author
    )
    if latest is not None:
        # The copies keep their version, so that an editor opened on the published text may save into them.
        Content.objects.bulk_create(
            Content(
                template_version=draft,
                channel=one.channel,
                language=one.language,
                subject=one.subject,
                preheader=one.preheader,
                body=one.body,
                digest_subject=one.digest_subject,
                digest_body=one.digest_body,
                version=one.version,
            )
            for one in latest.contents.all()
        )
    audit.record(verb="open_draft", obj=template, number=draft.number)
    return draft


@transaction.atomic
def save_content(
    *,
    template_id: int,
    channel: str,
    language: str,
    body: str,
    subject: str = "",
    preheader: str = "",
    digest_subject: str | None = None,
    digest_body: str | None = None,
    version: int | None = None,
    author: User | None = None,
) -> Content:
    """Save one text into the draft, which is made if need be; return it.

    `version` is the one the editor was opened with, 0 for a text that did not exist. Raises Conflict when
    somebody saved another text meanwhile, Refused when this one cannot be stored. Without `digest_body` the
    digest text stays as it is.
    """
    if max(len(body), len(digest_body or "")) > BODY_LENGTH:
        raise Refused(
            _("This text is longer than %(limit)s characters. Shorten it.") % {"limit": BODY_LENGTH},
            field="body",
        )
    if "\x00" in "".join((body, subject, preheader, digest_subject or "", digest_body or "")):
        raise Refused(_("This text holds a character that cannot be stored (NUL). Remove it."), field="body")
    draft = open_draft(template_id=template_id, author=author)
    fields = {"subject": subject[:200], "preheader": preheader[:200], "body": body}
    if digest_body is not None:
        fields |= {"digest_subject": (digest_subject or "")[:200], "digest_body": digest_body}
    rows = Content.objects.filter(template_version=draft, channel=channel, language=language)
    current = rows.first()
    if current is None:
        if version:
            raise Conflict(
                _("Somebody removed this text meanwhile. Yours is kept; save again to bring it back.")
            )
        content = Content.objects.create(template_version=draft, channel=channel, language=language, **fields)
    else:
        guarded = rows if version is None else rows.filter(version=version)
        if not guarded.update(**fields, version=F("version") + 1, updated_at=timezone.now()):
            raise Conflict(
                _("Somebody saved this text meanwhile. Yours is kept below; compare and save again."),
                current=current.version,
            )
        content = rows.get()
    audit.record(
        verb="save_template_text", obj=draft.template, channel=channel, language=language, number=draft.number
    )
    return content


@transaction.atomic
def remove_content(*, template_id: int, channel: str, language: str, author: User | None = None) -> int:
    """Take one text out of the draft; return how many were removed (0 if there was none)."""
    draft = open_draft(template_id=template_id, author=author)
    removed, _counts = Content.objects.filter(
        template_version=draft, channel=channel, language=language
    ).delete()
    if removed:
        audit.record(verb="remove_template_text", obj=draft.template, channel=channel, language=language)
    return removed


@transaction.atomic
def discard_draft(*, template_id: int) -> int:
    """Throw the draft away; return its number. Raises Refused if it is all there is, or was sent."""
    template = lock_template(template_id)
    draft = template.versions.filter(state=State.DRAFT).first()
    if draft is None:
        raise Refused(_("There is no draft to discard."))
    if not template.versions.exclude(pk=draft.pk).exists():
        raise Refused(_("This draft is all there is of the template. Archive the template instead."))
    if draft.dispatches.exists():
        raise Refused(_("Messages were sent from this draft, so it is kept. Publish it or go on editing."))
    draft.delete()
    audit.record(verb="discard_draft", obj=template, number=draft.number)
    return draft.number
