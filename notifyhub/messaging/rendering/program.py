"""Compiled texts of one template version, ready to be filled in once per recipient."""

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.channels.base import Page
from notifyhub.messaging.models import Content, Dispatch, TemplateVersion
from notifyhub.messaging.rendering.digest import ITEMS, MARK, digest_of
from notifyhub.messaging.rendering.environment import Part, RenderError
from notifyhub.messaging.rendering.html import compile_html
from notifyhub.messaging.rendering.links import VARIABLE, plain_links
from notifyhub.messaging.rendering.plain import html_to_text
from notifyhub.messaging.rendering.variables import TRAITS

LANGUAGES = ("zh-hans", "en")
CACHED = 256

# Control characters in a subject or title would end the header, so they become blanks.
_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_BLANKS = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")


def one_line(text: str) -> str:
    """Return a subject or title without what would end the header it stands in."""
    # None of those characters is printable, so most subjects need no closer look.
    return (text if text.isprintable() else _BREAKS.sub(" ", text)).strip()


def few_blanks(text: str) -> str:
    """Return a text with at most one blank line in a row."""
    # Most texts have none, and to look for it is cheaper than to replace nothing.
    if _BLANKS.search(text):
        text = _BLANKS.sub("\n\n", text)
    return text.strip()


@dataclass(frozen=True, slots=True)
class Rendered:
    """What one recipient gets; `html` only for mail written in HTML, or in its place the `page`."""

    subject: str
    text: str
    html: str | None = None
    page: Page | None = None


# Of variables and counted links, the message.
Filler = Callable[[dict[str, Any], dict[str, str] | None], Rendered]


def _reads_traits(content: Content) -> bool:
    """Say whether a text may read the customer's portrait: it names it, in whatever way Liquid allows."""
    return any(TRAITS in text for text in (content.subject, content.preheader, content.body))


class _Cell:
    """The text of one channel and language."""

    def __init__(self, content: Content, *, draft: bool) -> None:
        self.reads_traits = _reads_traits(content)
        self.subject = Part(content.subject)
        self.html: Part | None = None
        if content.channel == Channel.EMAIL:
            source = content.compiled
            if draft or not source:
                source = compile_html(
                    body=content.body,
                    preheader=content.preheader,
                    language=content.language,
                    opt_out=content.template_version.template.message_class != "transactional",
                )
            self.html = Part(source, html=True)
            self.text = Part(html_to_text(source))
        else:
            self.text = Part(content.body if draft else content.compiled or content.body)
        self.several = _Cell(digest_of(content), draft=draft) if content.digest_body else None

    def render(self, variables: dict[str, Any], *, page: bool) -> Rendered:
        if variables.get(MARK):
            return self._several(variables, page=page)
        subject = one_line(self.subject.render(variables))
        text = few_blanks(self.text.render(variables))
        if self.html is None:
            return Rendered(subject, text)
        found = self.html.page(variables) if page else None
        return Rendered(subject, text, None if found else self.html.render(variables), found)

    def _several(self, variables: dict[str, Any], *, page: bool) -> Rendered:
        if self.several is None or not variables.get(ITEMS):
            raise RenderError("There is nothing to gather, or no digest text.")
        return self.several.render({**variables, MARK: False}, page=page)


class Program:
    """The texts of one version by channel and language, or one text for all channels."""

    def __init__(
        self,
        cells: dict[tuple[str, str], _Cell],
        fixed: Rendered | None = None,
        *,
        urls: Sequence[str] = (),
    ) -> None:
        self._cells = cells
        self.fixed = fixed
        # How many addresses are counted, and what `nh` is where nobody counts.
        self.links = len(urls)
        self._plain = plain_links(urls)
        # Portraits are looked up for those texts alone that may read them.
        self.reads_traits = any(cell.reads_traits for cell in cells.values())
        self.channels: frozenset[str] = (
            frozenset(Channel.values) if fixed else frozenset(channel for channel, _ in cells)
        )

    def language_of(self, *, channel: str, language: str) -> str | None:
        """Return the language that is sent: the wanted one, else Chinese, English, any; None if no text."""
        for wanted in (language, *LANGUAGES):
            if (channel, wanted) in self._cells:
                return wanted
        return next((lang for name, lang in sorted(self._cells) if name == channel), None)

    def render(
        self,
        *,
        channel: str,
        language: str,
        variables: dict[str, Any],
        links: dict[str, str] | None = None,
        page: bool = False,
    ) -> Rendered:
        """Return the message filled in; raise RenderError if it cannot be.

        With `page` the HTML may come as the bytes of a mail.
        `links` are the counted ones of this message; without them links lead straight to their address. A
        variable the customer lacks is empty: one missing fact must not keep a message from a person. The
        studio shows what is missing before anything is sent.
        """
        return self.filler(channel=channel, language=language, page=page)(variables, links)

    def filler(self, *, channel: str, language: str, page: bool = False) -> Filler:
        """Return what fills in the text of a channel and language, as `render` says, message for message."""
        fixed = self.fixed
        if fixed is not None:
            return lambda variables, links: fixed
        found = self.language_of(channel=channel, language=language)
        if found is None:
            raise RenderError(f"There is no text for {channel}.")
        cell, plain = self._cells[channel, found], self._plain
        return lambda variables, links: cell.render({**variables, VARIABLE: links or plain}, page=page)


def program_of(contents: Iterable[Content], *, draft: bool, urls: Sequence[str] = ()) -> Program:
    """Return the program of these contents; raise RenderError if one of them cannot be compiled."""
    return Program({(one.channel, one.language): _Cell(one, draft=draft) for one in contents}, urls=urls)


class RecentPrograms(OrderedDict[int, Program]):
    """Programs by version; the one that was asked for longest ago is the first."""

    def __getitem__(self, version_id: int) -> Program:
        program = super().__getitem__(version_id)
        self.move_to_end(version_id)
        return program


_programs = RecentPrograms()


def program_of_version(version: TemplateVersion) -> Program:
    """Return the version's program; a frozen one is compiled once per process, a draft every time."""
    draft = version.state == TemplateVersion.State.DRAFT
    if not draft and version.pk in _programs:
        return _programs[version.pk]
    contents = version.contents.select_related("template_version__template")
    urls = () if draft else version.links.order_by("number").values_list("url", flat=True)
    program = program_of(contents, draft=draft, urls=list(urls))
    if not draft:
        _programs[version.pk] = program
        if len(_programs) > CACHED:
            _programs.popitem(last=False)
    return program


def program_for(dispatch: Dispatch) -> Program:
    """Return what `dispatch` sends: its template version, or its one-off text, which is not Liquid."""
    if dispatch.template_version_id is None:
        text = json.loads(str(dispatch.text or "{}"))
        subject = one_line(text.get("subject") or "")
        return Program({}, Rendered(subject, text.get("body") or "", text.get("html") or None))
    if dispatch.template_version_id in _programs:
        return _programs[dispatch.template_version_id]
    return program_of_version(TemplateVersion.objects.get(pk=dispatch.template_version_id))
