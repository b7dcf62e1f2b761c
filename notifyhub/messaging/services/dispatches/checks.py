"""What a dispatch must have before it is accepted; the forecast asks the same."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Topic
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.customers.services.audiences import compile_audience
from notifyhub.messaging.engine.chain_rules import DELIVERED, LONGEST_WAIT, UNTIL
from notifyhub.messaging.engine.digest.wanted import ORIGIN as DIGEST
from notifyhub.messaging.models import Template, TemplateVersion


def check_content(*, template_version: TemplateVersion | None, text: dict[str, str] | None) -> None:
    """Raise Refused if content is missing or a draft."""
    if template_version is None and not (text or {}).get("body", "").strip():
        raise Refused(_("There is nothing to say. Choose a template or write a text."), field="text")
    if template_version is not None and template_version.state == TemplateVersion.State.DRAFT:
        raise Refused(_("This template version is a draft. Publish it first."), field="template_version")


def check_texts(*, chain: Sequence[dict[str, Any]], template_version: TemplateVersion | None) -> None:
    """Raise Refused, naming the first step whose channel has no text in the template.

    Asked when a job is accepted: afterwards everybody who has that channel would be skipped.
    """
    if template_version is None:
        return
    written = set(template_version.contents.values_list("channel", flat=True))
    for place, step in enumerate(chain, 1):
        if step["channel"] not in written:
            raise Refused(
                _(
                    "Step %(place)d: the template “%(template)s” has no text for the channel %(channel)s. "
                    "Write and publish one, or leave the step out."
                )
                % {
                    "place": place,
                    "template": template_version.template,
                    "channel": Channel(step["channel"]).label,
                },
                field="chain",
                code="no_text",
            )


def check_chain(chain: list[dict[str, Any]]) -> None:
    """Raise Refused if a channel is missing, unknown or named twice, or a wait makes no sense."""
    channels = [step.get("channel") if isinstance(step, dict) else None for step in chain]
    if not channels:
        raise Refused(_("Choose at least one channel."), field="chain")
    if any(channel not in Channel.values for channel in channels) or len(set(channels)) < len(channels):
        raise Refused(_("A channel in the chain is unknown or named twice."), field="chain")
    for place, step in enumerate(chain):
        _check_step(step, Channel(step["channel"]).label, last=place == len(chain) - 1)


def _check_step(step: dict[str, Any], channel: Any, *, last: bool) -> None:
    extra = set(step) - {"channel", "wait", "until"}
    if extra:
        raise Refused(
            _("A step of the chain has a channel, wait and until, but not %s.") % ", ".join(sorted(extra)),
            field="chain",
        )
    wait = step.get("wait")
    if wait is not None and (type(wait) is not int or not 0 <= wait <= LONGEST_WAIT):
        raise Refused(
            _("%s may wait for up to 30 days, written in whole seconds.") % channel,
            field="chain",
        )
    if wait is not None and last:
        raise Refused(
            _("%s is the last step, so nothing follows its wait. Add a channel or take the wait away.")
            % channel,
            field="chain",
        )
    if step.get("until", DELIVERED) not in UNTIL:
        raise Refused(_("A step waits until it is delivered or until it is read."), field="chain")


def longest_wait(chain: Sequence[dict[str, Any]]) -> timedelta:
    """Return how long it may take until the last step is due."""
    return timedelta(seconds=sum(step.get("wait") or 0 for step in chain))


def check_end(*, chain: Sequence[dict[str, Any]], start: datetime, end: datetime | None) -> None:
    """Raise Refused if it would expire before it is sent, or before its last step."""
    if end is None:
        return
    if end <= start:
        raise Refused(_("It would expire before it is sent. Choose a later end."), field="expires_at")
    if end <= start + longest_wait(chain):
        raise Refused(
            _("It would expire before the last step of its chain. Choose a later end or shorter waits."),
            field="expires_at",
        )


def check_class(*, message_class: str, topic: Topic | None) -> None:
    """Raise Refused if the class or its topic does not fit."""
    if message_class not in MessageClass.values:
        raise Refused(_("This message class is unknown."), field="message_class")
    if message_class != MessageClass.TRANSACTIONAL and topic is None:
        # Without a topic there is no consent to look at.
        raise Refused(_("Choose a topic; only transactional messages go without one."), field="topic")
    if topic is not None and topic.message_class != message_class:
        raise Refused(_("This topic belongs to another message class."), field="topic")


def gather_of(
    template_version: TemplateVersion | None,
    *,
    topic: Topic | None,
    audience: dict[str, Any],
    urgent: bool,
    origin: str,
) -> dict[str, Any] | None:
    """Return how the messages of such a dispatch are gathered; None if each goes alone.

    Only named recipients are gathered, and only with a version that has a digest text for each of its texts.
    """
    if template_version is None or topic is None or urgent or origin == DIGEST or audience["kind"] != "items":
        return None
    template = template_version.template
    if template.gather == Template.Gather.NEVER or topic.message_class == MessageClass.TRANSACTIONAL:
        return None
    if template_version.contents.filter(digest_body="").exists():
        return None
    return {
        "every": template.gather,
        "at": f"{template.gather_at:%H:%M}",
        "weekday": template.gather_weekday,
    }


def check_audience(*, audience: dict[str, Any], items: Sequence[Any]) -> None:
    """Raise Refused if nobody is named, or the rule is wrong."""
    kind = audience.get("kind")
    if kind == "rule":
        compile_audience(audience.get("rule"))  # type: ignore[arg-type]
        if items:
            raise Refused(_("A rule and a list of recipients do not go together."), field="audience")
    elif kind != "items":
        raise Refused(_("Say who gets it: a rule or a list of recipients."), field="audience")
    if len({item.item for item in items}) < len(items):
        raise Refused(_("A recipient is named twice."), field="audience")
