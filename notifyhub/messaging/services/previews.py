"""What a text looks like for one customer, before anything is sent."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Max, Min
from django.utils.translation import gettext as _

from notifyhub.customers.models import Customer
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.models import Content, SenderIdentity, SendingPolicy, Template, TemplateVersion
from notifyhub.messaging.rendering.digest import several
from notifyhub.messaging.rendering.environment import RenderError
from notifyhub.messaging.rendering.links import UNSUBSCRIBE_VARIABLE
from notifyhub.messaging.rendering.program import Rendered, program_of
from notifyhub.messaging.rendering.variables import missing, variables_of
from notifyhub.messaging.services.templates.checks import Check, check_content, variables_of_content
from notifyhub.messaging.services.templates.sms import SmsSize, measure, with_signature

SAMPLE_ITEMS = 3
_OF_ITEM = re.compile(r"\bitem\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")


@dataclass(frozen=True, kw_only=True)
class VariableLine:
    """One variable of a text: its value for this customer, and whether they lack it."""

    path: str
    value: str
    missing: bool
    supplied: bool  # comes from whoever asks for the message, so it is a sample here


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A rendered text with all that is said about it; `rendered` is None if it cannot be filled in."""

    rendered: Rendered | None
    error: str = ""
    checks: list[Check] = field(default_factory=list)
    variables: list[VariableLine] = field(default_factory=list)
    size: SmsSize | None = None
    size_abroad: SmsSize | None = None
    identity: SenderIdentity | None = None
    # The digest text with three sample items; None where there is none, or it cannot be filled in.
    digest: Rendered | None = None
    digest_error: str = ""


def identity_for(*, channel: str, message_class: str) -> SenderIdentity | None:
    """Return who a message of this channel and class is from: one of the class, else a general one."""
    rows = list(SenderIdentity.objects.filter(channel=channel, active=True))
    own = [row for row in rows if message_class in row.classes]
    return next(iter(own or [row for row in rows if not row.classes]), None)


def random_customer() -> Customer | None:
    """Return some active customer by one look-up near a random id; None if there is none."""
    ends = Customer.objects.aggregate(low=Min("pk"), high=Max("pk"))
    if ends["low"] is None:
        return None
    start = random.randint(ends["low"], ends["high"])
    rows = Customer.objects.filter(state=Customer.State.ACTIVE).order_by("pk")
    return rows.filter(pk__gte=start).first() or rows.first()


def sample_customer() -> Customer:
    """Return an invented, unsaved customer, for staff who may not see customers."""
    return Customer(name=_("Sample customer"), city=_("Shanghai"), external_id="C000001")


def _value(variables: Mapping[str, Any], path: str) -> Any:
    value: Any = variables
    for key in path.replace("[", ".").replace("]", "").split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _with_samples(variables: dict[str, Any], paths: list[str], mark: str = "") -> dict[str, Any]:
    """Return the variables with “‹number›”, and `mark` in it, for what only a real message knows, such as
    order.number."""
    filled = dict(variables)
    for path in paths:
        keys = path.replace("[", ".").replace("]", "").split(".")
        if keys[0] in variables:
            continue
        place = filled
        for key in keys[:-1]:
            known = place.get(key)
            place[key] = known if isinstance(known, dict) else {}
            place = place[key]
        place.setdefault(keys[-1], f"‹{keys[-1]}{mark}›")
    return filled


def preview_content(
    *, content: Content, template: Template, customer: Customer, signed: bool = True
) -> Preview:
    """Return the unsaved or saved text as this customer would get it, with checks and variables.

    `signed` shows an SMS with its signature, as the phone does; sending adds it itself.
    """
    content.template_version = TemplateVersion(template=template)
    policy = SendingPolicy.objects.filter(message_class=template.message_class).first()
    checks = check_content(content=content, template=template, policy=policy)
    identity = identity_for(channel=content.channel, message_class=template.message_class)
    known = variables_of(customer)
    paths = variables_of_content(content)
    variables = _with_samples({**known, UNSUBSCRIBE_VARIABLE: "https://example.com/u/sample"}, paths)
    absent = set(missing(paths, variables))
    lines = [
        VariableLine(
            path=path,
            value=str(_value(variables, path) or ""),
            missing=path in absent,
            supplied=path.split(".")[0].split("[")[0] not in known,
        )
        for path in paths
    ]
    digest, digest_error = _preview_digest(content, known)
    try:
        program = program_of([content], draft=True)
        rendered = program.render(channel=content.channel, language=content.language, variables=variables)
    except RenderError as error:
        return Preview(
            rendered=None,
            error=str(error),
            checks=checks,
            variables=lines,
            identity=identity,
            digest_error=digest_error,
        )
    size = abroad = None
    if content.channel == Channel.SMS:
        signature = identity.signature if identity else ""
        size = measure(text=rendered.text, signature=signature)
        abroad = measure(text=rendered.text, signature=signature, mainland=False)
        if signed:
            text = with_signature(text=rendered.text, signature=signature)
            rendered = Rendered(subject=rendered.subject, text=text)
    return Preview(
        rendered=rendered,
        checks=checks,
        variables=lines,
        size=size,
        size_abroad=abroad,
        identity=identity,
        digest=digest,
        digest_error=digest_error,
    )


def _preview_digest(content: Content, known: dict[str, Any]) -> tuple[Rendered | None, str]:
    """Return the digest text with three sample items, or what stands against filling it in."""
    if not content.digest_body.strip():
        return None, ""
    paths = [path for path in variables_of_content(content) if path.split(".")[0].split("[")[0] not in known]
    # What the text reads of each of the items; `item` is what everybody calls one.
    paths += _OF_ITEM.findall(content.digest_body + content.digest_subject)
    items = [_with_samples({}, paths, mark=f" {number}") for number in range(1, SAMPLE_ITEMS + 1)]
    variables = {**known, UNSUBSCRIBE_VARIABLE: "https://example.com/u/sample", **several(items)}
    try:
        program = program_of([content], draft=True)
        return program.render(channel=content.channel, language=content.language, variables=variables), ""
    except RenderError as error:
        return None, str(error)
