"""From one row of the window to the message that is handed over."""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from notifyhub.core import crypto
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.customers.services.traits.reading import trait_values
from notifyhub.messaging.channels.base import Attachment, Backend, Message, Sender
from notifyhub.messaging.engine.limits import Policies
from notifyhub.messaging.engine.params import flat_params
from notifyhub.messaging.models import Attachment as StoredAttachment
from notifyhub.messaging.models import Dispatch, SenderIdentity, Template
from notifyhub.messaging.registry import item_variables
from notifyhub.messaging.rendering import Program, RenderError, customer_variables, program_for
from notifyhub.messaging.rendering.links import UNSUBSCRIBE_VARIABLE, counted_links, unsubscribe_url
from notifyhub.messaging.rendering.variables import TRAITS
from notifyhub.messaging.services import copies
from notifyhub.messaging.services.requests.attachments import open_attachment

Row = dict[str, Any]


class NoContent(Exception):
    """The template has no text for this channel."""


class NotAllowListed(Exception):
    """Outside production a real account may not write to this address."""


class Composer:
    """What the rows of one lease have in common: dispatches, programs, senders, policies."""

    def __init__(self, dispatch_ids: Iterable[int]) -> None:
        self._dispatches = {one.pk: one for one in Dispatch.objects.filter(pk__in=set(dispatch_ids))}
        self._programs: dict[int, Program | RenderError] = {}
        self._identities: list[SenderIdentity] | None = None
        self._keys: dict[int, str] = {}
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

    def dispatch(self, dispatch_id: int) -> Dispatch:
        """Return the dispatch as it was when the lease was taken."""
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
        dispatch = self.dispatch(row["dispatch_id"])
        channel = row["channel"]
        address = crypto.decrypt(bytes(row["contact"])) if row["contact"] is not None else ""
        if (backend is None or backend.real) and not allow_listed(address):
            raise NotAllowListed
        program = self._program(dispatch)
        if channel not in program.channels:
            raise NoContent
        headers: tuple[tuple[str, str], ...] = ()
        if dispatch.message_class != MessageClass.TRANSACTIONAL:
            link = unsubscribe_url(dispatch_id=dispatch.pk, delivery_id=row["id"])
            variables = {**variables, UNSUBSCRIBE_VARIABLE: link}
            if channel == Channel.EMAIL:
                # RFC 8058: both headers, and the address acts on POST only.
                headers = (
                    ("List-Unsubscribe", f"<{link}>"),
                    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
                )
        language = row["locale"] or "zh-hans"
        links = None
        if dispatch.message_class != MessageClass.TRANSACTIONAL and dispatch.template_version_id is not None:
            links = counted_links(
                dispatch_id=dispatch.pk,
                blocks=dispatch.blocks,
                delivery_id=row["id"],
                links=program.links,
            )
        rendered = program.render(channel=channel, language=language, variables=variables, links=links)
        identity = self._sender(channel, dispatch.message_class)
        said = rendered
        if identity and identity.signature and channel == Channel.SMS:
            rendered = dataclasses.replace(rendered, text=f"【{identity.signature}】{rendered.text}")
            # A vendor that adds the signature would say it twice; the copy shows what arrives.
            said = said if backend is not None and backend.adds_signature else rendered
        wants_params = backend is not None and backend.wants_params
        message = Message(
            reference=f"{dispatch.pk}-{row['id']}",
            key=f"{dispatch.key.hex}.{row['id']}",
            host=_host_of(settings.PUBLIC_URL),
            channel=channel,
            to=address,
            to_name=row["name"] or "",
            subject=said.subject,
            text=said.text,
            html=said.html,
            language=language,
            sender=_sender_of(identity),
            headers=headers,
            template=self._template_key(dispatch) if wants_params else "",
            params=flat_params(variables) if wants_params else (),
            attachments=self._files.get(dispatch.pk, ()) if channel == Channel.EMAIL else (),
        )
        copy = copies.pack(
            program=program, channel=channel, language=language, rendered=rendered, variables=variables
        )
        return message, copy

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

    def _sender(self, channel: str, message_class: str) -> SenderIdentity | None:
        if self._identities is None:
            self._identities = list(SenderIdentity.objects.filter(active=True).order_by("pk"))
        return next(
            (
                one
                for one in self._identities
                if one.channel == channel and (not one.classes or message_class in one.classes)
            ),
            None,
        )


def _sender_of(identity: SenderIdentity | None) -> Sender:
    if identity is None:
        return Sender()
    return Sender(
        name=identity.from_name,
        email=identity.from_email,
        reply_to=identity.reply_to,
        signature=identity.signature,
    )


def _item_variables(row: Row) -> dict[str, Any]:
    if row["item_variables"] is None:
        return {}
    return dict(json.loads(crypto.decrypt(bytes(row["item_variables"]))))


@lru_cache(maxsize=4)
def _host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def allow_listed(address: str) -> bool:
    """Say whether a real account may write to `address` here; in production it always may."""
    return settings.PRODUCTION or any(
        fnmatchcase(address.lower(), pattern.strip().lower()) for pattern in settings.ALLOW_RECIPIENTS
    )
