"""The plain-text part of an HTML mail, still in Liquid."""

import re
from html.parser import HTMLParser

from notifyhub.messaging.rendering.html import LIQUID

BLOCKS = {
    *("p", "div", "table", "tr", "ul", "ol", "blockquote", "pre", "center", "hr"),
    *("h1", "h2", "h3", "h4", "h5", "h6"),
}
_MARK = re.compile("\ue000(\\d+)\ue001")


class _Writer(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self.hidden = 0
        self.link = ""
        self.depth = 0
        self.keep_lines = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        style = found.get("style") or ""
        if tag == "div":
            self.depth += 1
            if "display:none" in style and not self.hidden:
                self.hidden = self.depth
            if "pre-line" in style and not self.keep_lines:
                self.keep_lines = self.depth
        if tag in BLOCKS or tag == "br":
            self.out.append("\n")
        elif tag == "li":
            self.out.append("\n- ")
        elif tag in ("td", "th"):
            self.out.append(" ")
        elif tag == "a":
            self.link = found.get("href") or ""
        elif tag == "img" and found.get("alt"):
            self.out.append(f"[{found['alt']}]")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self.link:
            text = "".join(self.out[-3:])
            if self.link not in text and not self.hidden:
                self.out.append(f" ({self.link})")
            self.link = ""
        if tag == "div":
            self.hidden = 0 if self.hidden == self.depth else self.hidden
            self.keep_lines = 0 if self.keep_lines == self.depth else self.keep_lines
            self.depth -= 1
        if tag in BLOCKS:
            self.out.append("\n\n" if tag in ("p", "h1", "h2", "h3") else "\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.out.append(data if self.keep_lines else re.sub(r"\s+", " ", data))


def html_to_text(source: str) -> str:
    """Return what a reader without HTML gets from the compiled page: text, links in brackets."""
    pieces = LIQUID.findall(source)
    numbers = iter(range(len(pieces)))
    writer = _Writer()
    writer.feed(LIQUID.sub(lambda _match: f"\ue000{next(numbers)}\ue001", source))
    writer.close()
    text = re.sub(r"[ \t]+", " ", "".join(writer.out))
    text = re.sub(r" ?\n ?", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return _MARK.sub(lambda match: pieces[int(match.group(1))], text)
