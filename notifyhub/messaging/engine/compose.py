"""From one row of the window to the message that is handed over."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from notifyhub.core import crypto
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.customers.services.traits.reading import trait_values
from notifyhub.messaging.channels.base import Attachment, Backend, Message, Sender
from notifyhub.messaging.engine.lease import LeasedBatch
from notifyhub.messaging.engine.limits import Policies
from notifyhub.messaging.engine.params import flat_params
from notifyhub.messaging.engine.statements import prepared
from notifyhub.messaging.models import Attachment as StoredAttachment
from notifyhub.messaging.models import Dispatch, Template
from notifyhub.messaging.registry import item_variables
from notifyhub.messaging.rendering import Program, RenderError, customer_variables, program_for
from notifyhub.messaging.rendering.links import UNSUBSCRIBE_VARIABLE, CountedLinks, unsubscribe_urls
from notifyhub.messaging.rendering.program import Filler
from notifyhub.messaging.rendering.variables import TRAITS
from notifyhub.messaging.services import copies
from notifyhub.messaging.services.requests.attachments import open_attachment
from notifyhub.messaging.tracking.short import place_of

Row = dict[str, Any]
# RFC 8058: both headers, and the address acts on POST only.
_ONE_CLICK = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")

_SENDER = ("name", "email", "reply_to", "signature")
_IDENTITIES = """
SELECT channel, classes::text[], from_name, from_email, reply_to, signature
FROM messaging_senderidentity WHERE active ORDER BY id
"""


class NoContent(Exception):
    """The template has no text for this channel."""


class NotAllowListed(Exception):
    """Outside production a real account may not write to this address."""


@dataclasses.dataclass(kw_only=True, slots=True)
class _Frame:
    """What the messages of one dispatch over one channel, in one language, through one backend share."""

    dispatch_id: int
    key: str
    channel: str
    language: str
    program: Program
    opt_out: Callable[[int], str] | None
    is_mail: bool
    links: CountedLinks | None
    fill: Filler
    signature: str
    sender: Sender
    host: str
    wants_params: bool
    template: str
    files: tuple[Attachment, ...]


class Composer:
    """What the rows of some dispatches have in common: programs, senders, policies."""

    def __init__(self, dispatch_ids: Iterable[int]) -> None:
        self._dispatches = {one.pk: one for one in Dispatch.objects.filter(pk__in=set(dispatch_ids))}
        self._programs: dict[int, Program | RenderError] = {}
        self._identities: list[tuple[Any, ...]] | None = None
        self._keys: dict[int, str] = {}
        self._frames: dict[tuple[int, str, str | None, type[Backend] | None], _Frame] = {}
        self._ring = crypto.current_ring()
        self._everybody = settings.PRODUCTION or "*" in settings.ALLOW_RECIPIENTS
        self.policies = Policies()
        self._files = self._load_files()

    def _load_files(self) -> dict[int, tuple[Attachment, ...]]:
        """Return the files of the transactional dispatches, by one look-up for all."""
        asked = [
            pk for pk, one in self._dispatches.items() if one.message_class == MessageClass.TRANSACTIONAL
        ]
        files: dict[int, list[Attachment]] = defaultdict(list)
        for row in StoredAttachment.objects.filter(dispatch_id__in=asked) if asked else ():
            files[row.dispatch_id].append(
                Attachment(name=row.name, content_type=row.content_type, content=open_attachment(row))
            )
        return {pk: tuple(found) for pk, found in files.items()}

    def fits(self, batches: Sequence[LeasedBatch]) -> bool:
        """Say whether these are of its dispatches, and of the blocks of ids that it knows them to have."""
        if {one.dispatch_id for one in batches} != self._dispatches.keys():
            return False
        # Ids rise: whoever knows the last knows the others.
        return all(
            place_of(blocks=self._dispatches[one.dispatch_id].blocks, delivery_id=one.hi) is not None
            for one in batches
        )

    def dispatch(self, dispatch_id: int) -> Dispatch:
        """Return the dispatch as it was a moment ago."""
        return self._dispatches[dispatch_id]

    def variables(self, rows: list[Row]) -> dict[int, dict[str, Any]]:
        """Return the variables of each row by its id; the origins are asked once per dispatch."""
        keys: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            keys[row["dispatch_id"]].append(row["dedup_key"])
        given: dict[int, dict[int, dict[str, Any]]] = {}
        for dispatch_id, dedup_keys in keys.items():
            provider = item_variables.get(self.dispatch(dispatch_id).origin_kind)
            given[dispatch_id] = provider(dispatch_id, dedup_keys) if provider else {}
        self._add_traits(rows)
        return {
            row["id"]: {
                **customer_variables(row),
                **_item_variables(row),
                **given[row["dispatch_id"]].get(row["dedup_key"], {}),
            }
            for row in rows
        }

    def _add_traits(self, rows: list[Row]) -> None:
        """Put the portraits beside the rows of texts that read them, by one look-up for all."""
        readers = {pk for pk in {row["dispatch_id"] for row in rows} if self._reads_traits(pk)}
        if readers:
            asking = [row for row in rows if row["dispatch_id"] in readers]
            found = trait_values(ids={row["person_id"] for row in asking})
            for row in asking:
                row[TRAITS] = found.get(row["person_id"])

    def _reads_traits(self, dispatch_id: int) -> bool:
        try:
            return self._program(self.dispatch(dispatch_id)).reads_traits
        except RenderError:
            # Composing each row says so, and settles it.
            return False

    def compose(
        self, row: Row, variables: dict[str, Any], *, backend: type[Backend] | None
    ) -> tuple[Message, bytes]:
        """Return the message of a row and the encrypted copy to keep of it.

        Raises RenderError, NoContent or NotAllowListed: each is the failure of this one row.
        """
        number = row["id"]
        address = self._ring.decrypt(row["contact"]) if row["contact"] is not None else ""
        if not self._everybody and (backend is None or backend.real) and not allow_listed(address):
            raise NotAllowListed
        key = (row["dispatch_id"], row["channel"], row["locale"], backend)
        frame = self._frames.get(key)
        if frame is None:
            frame = self._frames[key] = self._frame(*key)
        headers: tuple[tuple[str, str], ...] = ()
        if frame.opt_out is not None:
            link = frame.opt_out(number)
            variables = {**variables, UNSUBSCRIBE_VARIABLE: link}
            if frame.is_mail:
                headers = (("List-Unsubscribe", f"<{link}>"), _ONE_CLICK)
        said = rendered = frame.fill(variables, frame.links.of(number) if frame.links else None)
        if frame.signature:
            rendered = dataclasses.replace(rendered, text=f"【{frame.signature}】{rendered.text}")
            # A vendor that adds the signature would say it twice; the copy shows what arrives.
            said = said if backend is not None and backend.adds_signature else rendered
        message = Message(
            reference=f"{frame.dispatch_id}-{number}",
            key=f"{frame.key}.{number}",
            host=frame.host,
            channel=frame.channel,
            to=address,
            to_name=row["name"] or "",
            subject=said.subject,
            text=said.text,
            html=said.html,
            page=said.page,
            language=frame.language,
            sender=frame.sender,
            headers=headers,
            template=frame.template,
            params=flat_params(variables) if frame.wants_params else (),
            attachments=frame.files,
        )
        copy = copies.pack(
            program=frame.program,
            channel=frame.channel,
            language=frame.language,
            rendered=rendered,
            variables=variables,
            ring=self._ring,
        )
        return message, copy

    def _frame(
        self, dispatch_id: int, channel: str, locale: str | None, backend: type[Backend] | None
    ) -> "_Frame":
        dispatch = self.dispatch(dispatch_id)
        program = self._program(dispatch)
        if channel not in program.channels:
            raise NoContent
        language = locale or "zh-hans"
        page = channel == Channel.EMAIL and backend is not None and backend.wants_page
        opt_out = dispatch.message_class != MessageClass.TRANSACTIONAL
        counted = opt_out and dispatch.template_version_id is not None
        sender = self._sender(channel, dispatch.message_class)
        wants_params = backend is not None and backend.wants_params
        return _Frame(
            dispatch_id=dispatch.pk,
            key=dispatch.key.hex,
            channel=channel,
            language=language,
            program=program,
            opt_out=unsubscribe_urls(dispatch.pk) if opt_out else None,
            is_mail=channel == Channel.EMAIL,
            links=CountedLinks(dispatch_id=dispatch.pk, blocks=dispatch.blocks, links=program.links)
            if counted
            else None,
            fill=program.filler(channel=channel, language=language, page=page),
            signature=sender.signature if channel == Channel.SMS else "",
            sender=sender,
            host=urlsplit(settings.PUBLIC_URL).hostname or "",
            wants_params=wants_params,
            template=self._template_key(dispatch) if wants_params else "",
            files=self._files.get(dispatch.pk, ()) if channel == Channel.EMAIL else (),
        )

    def _program(self, dispatch: Dispatch) -> Program:
        found = self._programs.get(dispatch.pk)
        if found is None:
            try:
                found = program_for(dispatch)
            except RenderError as error:
                found = error
            self._programs[dispatch.pk] = found
        if isinstance(found, RenderError):
            raise found
        return found

    def _template_key(self, dispatch: Dispatch) -> str:
        if dispatch.pk not in self._keys:
            version = dispatch.template_version_id
            found = Template.objects.filter(versions=version).values_list("key", flat=True).first()
            self._keys[dispatch.pk] = (found or "") if version is not None else ""
        return self._keys[dispatch.pk]

    def _sender(self, channel: str, message_class: str) -> Sender:
        if self._identities is None:
            with prepared() as cursor:
                cursor.execute(_IDENTITIES)
                self._identities = cursor.fetchall()
        for where, classes, *sender in self._identities:
            if where == channel and (not classes or message_class in classes):
                return Sender(**dict(zip(_SENDER, sender, strict=True)))
        return Sender()


def _item_variables(row: Row) -> dict[str, Any]:
    if row["item_variables"] is None:
        return {}
    return dict(json.loads(crypto.decrypt(bytes(row["item_variables"]))))


def allow_listed(address: str) -> bool:
    """Say whether a real account may write to `address` here; in production it always may."""
    return settings.PRODUCTION or any(
        fnmatchcase(address.lower(), pattern.strip().lower()) for pattern in settings.ALLOW_RECIPIENTS
    )
