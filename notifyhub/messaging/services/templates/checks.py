"""What is wrong, or doubtful, with a text, in words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from django.utils.translation import gettext as _

from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.customers.services.traits.catalogue import TRAITS
from notifyhub.messaging.models import Content, SendingPolicy, Template, TemplateVersion
from notifyhub.messaging.rendering.digest import COUNT, ITEMS, digest_of
from notifyhub.messaging.rendering.environment import Part, RenderError
from notifyhub.messaging.rendering.html import LIQUID, compile_html, is_html
from notifyhub.messaging.rendering.links import UNSUBSCRIBE_VARIABLE
from notifyhub.messaging.services.templates.liquid_words import say
from notifyhub.messaging.services.templates.sms import OPT_OUT, measure

ERROR, WARNING, OK = "error", "warning", "ok"
WITH_SUBJECT = (Channel.EMAIL, Channel.PUSH, Channel.INBOX)
SMS_PARTS = 5
CLIP_BYTES = 102_000
KNOWN = frozenset({"name", "city", "number", "attributes", "tags", "traits"})
# Words the advertising law forbids for claims (articles 9 and 28).
ABSOLUTE = re.compile(r"国家级|最高级|最佳|最好|最低价|全网最低|顶级|史上最|独一无二|绝对|第一品牌|100%有效")
_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=\s*(\"[^\"]|'[^'])", re.IGNORECASE)
_PLAIN_LINK = re.compile(r"href\s*=\s*[\"']http://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: error forbids publishing, warning asks for a look, ok is good news."""

    level: str
    text: str
    line: int | None = None
    field: str = "body"


def _syntax(content: Content) -> list[Check]:
    found = []
    for field in ("subject", "preheader", "body"):
        try:
            unknown = Part(getattr(content, field)).unknown_filters()
        except RenderError as error:
            found.append(Check(ERROR, say(str(error)), line=error.line, field=field))
        else:
            found += [Check(ERROR, _("There is no filter “%s”.") % one, field=field) for one in unknown]
    return found


@lru_cache(maxsize=64)
def _page(body: str, preheader: str, language: str, opt_out: bool) -> str:
    return compile_html(body=body, preheader=preheader, language=language, opt_out=opt_out)


def _mail(content: Content, template: Template) -> list[Check]:
    promises_way_out = template.message_class != MessageClass.TRANSACTIONAL
    found = []
    try:
        page = _page(content.body, content.preheader, content.language, promises_way_out)
    except RenderError as error:
        return [Check(ERROR, str(error))]
    bare = [image for image in _IMAGE.findall(LIQUID.sub("x", content.body)) if not _ALT.search(image)]
    if bare:
        found.append(
            Check(WARNING, _("An image has no alternative text. Readers without images see nothing."))
        )
    if _PLAIN_LINK.search(content.body):
        found.append(
            Check(WARNING, _("A link starts with http://. Mail clients warn about it; use https://."))
        )
    size = len(page.encode())
    if size > CLIP_BYTES:
        found.append(Check(WARNING, _("%d KB: some mail clients cut a mail at 102 KB.") % (size // 1000)))
    else:
        found.append(Check(OK, _("%d KB, below the 102 KB cut of mail clients") % max(size // 1000, 1)))
    if promises_way_out and UNSUBSCRIBE_VARIABLE not in content.body:
        found.append(Check(OK, _("An unsubscribe link is added at the foot")))
    if not is_html(content.body):
        found.append(Check(OK, _("Plain text: its line breaks are kept")))
    return found


def _sms(content: Content, template: Template) -> list[Check]:
    found = []
    wording = OPT_OUT.get(content.language, OPT_OUT["en"])
    if template.message_class == MessageClass.PROMOTIONAL:
        if content.body.rstrip().endswith(wording):
            found.append(Check(OK, _("Ends with the way out: %s") % wording))
        else:
            found.append(Check(ERROR, _("A promotional SMS must end with “%s”.") % wording))
    parts = measure(text=LIQUID.sub("", content.body)).parts
    if parts > SMS_PARTS:
        found.append(
            Check(
                ERROR,
                _("The text alone takes %(parts)d parts; at most %(limit)d are sent. Shorten it.")
                % {"parts": parts, "limit": SMS_PARTS},
            )
        )
    return found


def _variables(content: Content, template: Template) -> list[Check]:
    found = []
    for path in variables_of_content(content):
        root, _dot, rest = path.partition(".")
        if root == "customer":
            keys = rest.replace("[", ".").replace("]", "").split(".")
            if rest and keys[0] not in KNOWN:
                said = _("{{ %(path)s }} is not known. Attributes are read as customer.attributes.…")
                found.append(Check(WARNING, said % {"path": path}))
            elif keys[0] == "traits" and len(keys) > 1 and keys[1] not in (*TRAITS, "currency"):
                said = _("{{ %(path)s }} is not known. Choose one of the portrait from the list.")
                found.append(Check(WARNING, said % {"path": path}))
        elif template.message_class == MessageClass.PROMOTIONAL and root not in (
            UNSUBSCRIBE_VARIABLE,
            "coupon",
            ITEMS,
            COUNT,
        ):
            found.append(Check(WARNING, _("{{ %(path)s }} is not filled in by a campaign.") % {"path": path}))
    return found


def variables_of_content(content: Content) -> list[str]:
    """Return the paths that subject, preview line and text read, sorted; broken texts count for nothing."""
    paths: set[str] = set()
    for field in (content.subject, content.preheader, content.body):
        try:
            paths.update(Part(field).variables())
        except RenderError:
            continue
    return sorted(paths - {UNSUBSCRIBE_VARIABLE})


def check_content(
    *, content: Content, template: Template, policy: SendingPolicy | None = None
) -> list[Check]:
    """Return the findings for one text and its digest text, worst first."""
    found = _check_text(content, template, policy)
    if not content.body.strip():
        return found
    found += _digest(content, template)
    if not any(one.level == ERROR for one in found):
        found.append(Check(OK, _("Liquid is complete")))
    return sorted(found, key=lambda one: (ERROR, WARNING, OK).index(one.level))


def _check_text(content: Content, template: Template, policy: SendingPolicy | None) -> list[Check]:
    found = _syntax(content)
    if not content.body.strip():
        return [Check(ERROR, _("Write the text."))]
    if content.channel in WITH_SUBJECT and not content.subject.strip():
        found.append(
            Check(
                ERROR,
                _("Write a subject.") if content.channel == Channel.EMAIL else _("Write a title."),
                field="subject",
            )
        )
    if policy is not None and policy.channels and content.channel not in policy.channels:
        found.append(
            Check(
                WARNING,
                _("The policy does not allow %(channel)s for this class: nobody will get it.")
                % {"channel": Channel(content.channel).label},
            )
        )
    if not any(one.level == ERROR and one.line is not None for one in found):
        if content.channel == Channel.EMAIL:
            found += _mail(content, template)
        elif content.channel == Channel.SMS:
            found += _sms(content, template)
        found += _variables(content, template)
    if content.channel == Channel.PUSH and len(LIQUID.sub("", content.body)) > 120:
        found.append(Check(WARNING, _("Phones show about 120 characters of a push message.")))
    if template.message_class == MessageClass.PROMOTIONAL:
        claims = sorted(set(ABSOLUTE.findall(content.subject + content.body)))
        if claims:
            found.append(
                Check(WARNING, _("The advertising law forbids absolute claims: %s") % "、".join(claims))
            )
    return found


def _digest(content: Content, template: Template) -> list[Check]:
    """Return what is wrong with the digest text, and that it is missing where messages are gathered."""
    if not content.digest_body.strip():
        if template.gather == Template.Gather.NEVER:
            return []
        return [
            Check(
                ERROR,
                _("Its messages are gathered, but there is no digest text. Write it, or gather never."),
                field="digest_body",
            )
        ]
    found = [
        replace(one, text=_("Digest: %s") % one.text, field=f"digest_{one.field}", line=one.line)
        for one in _check_text(digest_of(content), template, None)
        if one.level != OK
    ]
    if not any(
        path.split("[")[0].split(".")[0] == ITEMS for path in variables_of_content(digest_of(content))
    ):
        found.append(
            Check(
                WARNING,
                _("The digest text never reads items: all digests say the same."),
                field="digest_body",
            )
        )
    return found


def check_version(*, version: TemplateVersion) -> dict[tuple[str, str], list[Check]]:
    """Return the findings of every text of a version by (channel, language)."""
    template = version.template
    policy = SendingPolicy.objects.filter(message_class=template.message_class).first()
    contents: Sequence[Content] = list(version.contents.all())
    return {
        (one.channel, one.language): check_content(content=one, template=template, policy=policy)
        for one in contents
    }
