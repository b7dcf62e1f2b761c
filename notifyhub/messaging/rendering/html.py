"""Mail written as HTML with Liquid inside, made safe and ready for mail clients once, at publishing.

An HTML parser would move or swallow Liquid (text between table rows is thrown out of the table), so each
piece of it stands as a comment, or as a word within an attribute, while the HTML is worked on.
"""

import re
from html import escape

import css_inline
import nh3
from django.utils.translation import gettext as _
from django.utils.translation import override

from notifyhub.messaging.rendering.environment import RenderError
from notifyhub.messaging.rendering.links import UNSUBSCRIBE_VARIABLE, VARIABLE

LIQUID = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z/!][^>]*>")
_STYLE = re.compile(r"<style\b.*?</style\s*>", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_MARK = re.compile(r"<!--lq(\d+)-->|lq(\d+)x")
# A parser opens the body of a table at its first row, which may stand within a loop already.
_TABLE_START = re.compile(r"(<table\b[^>]*>)((?:\s|<!--lq\d+-->)*)(?=<tr\b)", re.IGNORECASE)
_URL_START = re.compile(r"(\b(?:href|src)=[\"'])lq(\d+)x")
_URL_WITH_TAG = re.compile(r"\b(?:href|src)=[\"'][^\"']*lq(\d+)x")

TAGS = {
    *(
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "center",
        "code",
        "div",
        "em",
        "font",
        "hr",
        "i",
        "img",
        "p",
        "pre",
    ),
    *(
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "li",
        "ol",
        "ul",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "u",
    ),
    *("table", "tbody", "td", "tfoot", "th", "thead", "tr"),
}
ATTRIBUTES = {
    "*": {"style", "align", "dir", "lang", "title", "class", "role", "aria-label"},
    "a": {"href", "target"},
    "img": {"src", "alt", "width", "height", "border"},
    "font": {"color", "face", "size"},
    "table": {"width", "cellpadding", "cellspacing", "border", "bgcolor"},
    "td": {"width", "height", "colspan", "rowspan", "valign", "bgcolor"},
    "th": {"width", "height", "colspan", "rowspan", "valign", "bgcolor", "scope"},
    "tr": {"valign", "bgcolor"},
    "ol": {"start"},
}
BASE_CSS = "body{font-family:-apple-system,'PingFang SC','Microsoft YaHei',Helvetica,Arial,sans-serif}"
PAGE = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"></head>'
    "<body style=\"margin:0;padding:16px;font:15px/1.6 -apple-system,'PingFang SC','Microsoft YaHei',"
    'Helvetica,Arial,sans-serif;color:#1f2328;background:#fff">{preheader}{body}{footer}</body></html>'
)
HIDDEN = '<div style="display:none;max-height:0;overflow:hidden;font-size:1px;color:#fff">{text}</div>'
FOOTER = (
    '<p style="margin:24px 0 0;padding-top:12px;border-top:1px solid #e5e7eb;font-size:12px;color:#6b7280">'
    '{stop} <a href="{{{{ {variable} | link_url }}}}" style="color:#6b7280">{opt_out}</a> · '
    '<a href="{{{{ {links}.why }}}}" style="color:#6b7280">{why}</a></p>'
)


def is_html(body: str) -> bool:
    """Say whether the body is written in HTML; otherwise its lines are kept as they are."""
    return bool(_TAG.search(LIQUID.sub("", body)))


def _refuse_risky(pieces: list[str]) -> None:
    for piece in pieces:
        if any("<" in quoted for quoted in _QUOTED.findall(piece)):
            raise RenderError(_("Write HTML outside %s, not in quotes within it.") % piece)


def _protect(body: str) -> tuple[str, list[str]]:
    """Return the body with each piece of Liquid as a mark, and the pieces."""
    pieces: list[str] = []
    out: list[str] = []
    at = 0
    inside, quote = False, ""
    for match in LIQUID.finditer(body):
        for char in body[at : match.start()]:
            if inside and quote:
                quote = "" if char == quote else quote
            elif inside and char in "\"'":
                quote = char
            elif char in "<>":
                inside = char == "<"
        out.append(body[at : match.start()])
        out.append(f"lq{len(pieces)}x" if inside else f"<!--lq{len(pieces)}-->")
        pieces.append(match.group())
        at = match.end()
    out.append(body[at:])
    return "".join(out), pieces


def _restore(html: str, pieces: list[str]) -> str:
    """Return the HTML with its Liquid back; raise RenderError if a piece was lost or doubled."""
    seen = [int(one or two) for one, two in _MARK.findall(html)]
    lost = set(range(len(pieces))) - set(seen)
    if lost or len(seen) != len(pieces):
        piece = pieces[min(lost)] if lost else pieces[0]
        raise RenderError(_("%s stands where HTML would lose it. Move it into the text.") % piece)
    for found in _URL_WITH_TAG.finditer(html):
        if pieces[int(found.group(1))].startswith("{%"):
            raise RenderError(_("Put the whole link into one variable; a link cannot hold a condition."))

    def guarded(match: re.Match[str]) -> str:
        piece = pieces[int(match.group(2))]
        inner = piece[2:-2].strip("-").strip()
        return f"{match.group(1)}{{{{ {inner} | link_url }}}}"

    html = _URL_START.sub(guarded, html)
    return _MARK.sub(lambda match: pieces[int(match.group(1) or match.group(2))], html)


def _clean(body: str) -> str:
    """Return HTML with styles inlined and everything a mail must not hold taken out."""
    body = _COMMENT.sub("", body)
    for style in _STYLE.findall(body):
        if LIQUID.search(style):
            raise RenderError(_("A variable cannot stand inside <style>. Use it in the text."))
    marked, pieces = _protect(body)
    _refuse_risky(pieces)
    if re.search(r"style\s*=\s*(\"[^\"]*|'[^']*)lq\d+x", marked, re.IGNORECASE):
        raise RenderError(_("A variable cannot stand inside a style. Use it in the text."))
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)
    try:
        inlined = inliner.inline(_TABLE_START.sub(r"\1<tbody>\2", marked))
    except css_inline.InlineError as error:
        raise RenderError(_("The style sheet in this text cannot be read: %s") % error) from error
    cleaned = nh3.clean(
        inlined,
        tags=TAGS,
        attributes=ATTRIBUTES,
        strip_comments=False,
        link_rel=None,
        url_schemes={"http", "https", "mailto", "tel"},
    )
    return _restore(cleaned, pieces)


def _paragraphs(body: str) -> str:
    """Return text as HTML: escaped outside Liquid, its line breaks kept."""
    _refuse_risky(LIQUID.findall(body))
    out, at = [], 0
    for match in LIQUID.finditer(body):
        out += [escape(body[at : match.start()]), match.group()]
        at = match.end()
    out.append(escape(body[at:]))
    return '<div style="white-space:pre-line">' + "".join(out).strip() + "</div>"


def _footer(*, body: str, language: str, opt_out: bool) -> str:
    if not opt_out or UNSUBSCRIBE_VARIABLE in body:
        return ""
    with override(language):
        return FOOTER.format(
            stop=_("You can stop these messages at any time."),
            opt_out=_("Unsubscribe"),
            variable=UNSUBSCRIBE_VARIABLE,
            why=_("Why do I get this?"),
            links=VARIABLE,
        )


def compile_html(*, body: str, preheader: str, language: str, opt_out: bool) -> str:
    """Return the whole page of a mail, still in Liquid; raise RenderError with what is wrong.

    With `opt_out` a text that does not place the unsubscribe link itself gets it at its foot.
    """
    return PAGE.format(
        language=language,
        preheader=HIDDEN.format(text=_paragraphs(preheader)) if preheader else "",
        body=_clean(body) if is_html(body) else _paragraphs(body),
        footer=_footer(body=body, language=language, opt_out=opt_out),
    )
