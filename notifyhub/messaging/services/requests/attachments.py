"""Files that go with transactional mail: few, small, and what they say they are."""

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from notifyhub.core import crypto
from notifyhub.core.errors import Refused
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.models import Attachment, Dispatch

MOST = 5
MOST_BYTES = 5 * 1024 * 1024
_UNFIT = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u202a-\u202e\u2066-\u2069]")
# By their first bytes; text has none and is judged by being text.
_MAGIC = (
    (b"%PDF-", "application/pdf", (".pdf",)),
    (b"\x89PNG\r\n\x1a\n", "image/png", (".png",)),
    (b"\xff\xd8\xff", "image/jpeg", (".jpg", ".jpeg")),
    (b"GIF87a", "image/gif", (".gif",)),
    (b"GIF89a", "image/gif", (".gif",)),
)
_TEXT = {".txt": "text/plain", ".csv": "text/csv", ".ics": "text/calendar"}


@dataclass(frozen=True, kw_only=True)
class AttachmentIn:
    """One file that was looked at."""

    name: str
    content_type: str
    content: bytes


def read_attachment(*, name: str, content: str) -> AttachmentIn:
    """Return the file of a request (`content` in base64); raise Refused if it is not one we pass on.

    What it is follows from its bytes, which must fit the end of its name: a program is not sent as a picture.
    """
    name = _UNFIT.sub("_", name).strip(" .")[-150:]
    suffix = "." + name.rpartition(".")[2].lower() if "." in name else ""
    try:
        raw = b64decode(content, validate=True)
    except (Base64Error, ValueError) as error:
        raise Refused(_("“%s” is not in base64.") % name, field="attachments") from error
    if not raw:
        raise Refused(_("“%s” is empty.") % name, field="attachments")
    for magic, kind, suffixes in _MAGIC:
        if raw.startswith(magic) and suffix in suffixes:
            return AttachmentIn(name=name, content_type=kind, content=raw)
    if suffix in _TEXT and _is_text(raw, suffix):
        return AttachmentIn(name=name, content_type=_TEXT[suffix], content=raw)
    raise Refused(
        _("“%s” is not what its name says, or not a PDF, PNG, JPEG, GIF, TXT, CSV or ICS file.") % name,
        field="attachments",
    )


def _is_text(raw: bytes, suffix: str) -> bool:
    if b"\x00" in raw or (suffix == ".ics" and not raw.lstrip().upper().startswith(b"BEGIN:VCALENDAR")):
        return False
    try:
        raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return not raw.lstrip()[:9].lower().startswith((b"<!doctype", b"<html", b"<script", b"<svg"))


def check_attachments(files: Sequence[AttachmentIn], *, message_class: str, channels: Sequence[str]) -> None:
    """Raise Refused if these files may not go with such a message."""
    if not files:
        return
    if message_class != MessageClass.TRANSACTIONAL:
        raise Refused(_("Only transactional mail carries files."), field="attachments")
    if Channel.EMAIL not in channels:
        raise Refused(_("Files go by email only; add it to the channels."), field="attachments")
    if len(files) > MOST:
        raise Refused(_("Send at most %d files.") % MOST, field="attachments")
    if sum(len(one.content) for one in files) > MOST_BYTES:
        raise Refused(_("The files have more than %d MB together.") % (MOST_BYTES >> 20), field="attachments")


def keep_attachments(dispatch: Dispatch, files: Sequence[AttachmentIn]) -> None:
    """Store the files with their dispatch, encrypted."""
    Attachment.objects.bulk_create(
        Attachment(
            dispatch=dispatch,
            name=one.name,
            content_type=one.content_type,
            size=len(one.content),
            sha256=hashlib.sha256(one.content).hexdigest(),
            content=crypto.encrypt(b64encode(one.content).decode()),
        )
        for one in files
    )


def open_attachment(row: Attachment) -> bytes:
    """Return the bytes of a stored file; raises crypto.Undecryptable."""
    return b64decode(crypto.decrypt(bytes(row.content)))
