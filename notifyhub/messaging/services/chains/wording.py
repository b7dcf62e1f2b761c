"""A chain in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from notifyhub.core.templatetags.nh import duration
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.engine.chain_rules import DELIVERED, READ


@dataclass(frozen=True, kw_only=True)
class StepWords:
    """One step: its place from 1, its channel, and in a sentence when the next one follows."""

    number: int
    channel: str
    label: str
    sentence: str


def channel_label(channel: str) -> str:
    """Return the channel's name; an unknown one as it is."""
    return str(Channel(channel).label) if channel in Channel.values else channel


def until_of(step: dict[str, Any]) -> str:
    """Return what a step waits for: delivered or read."""
    return READ if step.get("until") == READ else DELIVERED


def describe_chain(chain: Sequence[dict[str, Any]]) -> list[StepWords]:
    """Return the steps with what each waits for."""
    labels = [channel_label(str(step.get("channel", ""))) for step in chain]
    return [
        StepWords(
            number=place + 1,
            channel=str(step.get("channel", "")),
            label=labels[place],
            sentence=_describe(step, labels[place + 1]) if place + 1 < len(chain) else _last(len(chain)),
        )
        for place, step in enumerate(chain)
    ]


def _last(length: int) -> str:
    return _("The last step.") if length > 1 else _("The only step.")


def _describe(step: dict[str, Any], following: str) -> str:
    failed = _("If it fails for certain, %s follows at once.") % following
    wait = step.get("wait")
    if wait is None:
        return failed
    facts = {"span": duration(wait), "next": following}
    if until_of(step) == READ:
        waited = _("If it is not read within %(span)s, %(next)s follows.") % facts
    else:
        waited = _("If it is not delivered within %(span)s, %(next)s follows.") % facts
    return _("%(waited)s %(failed)s") % {"waited": waited, "failed": failed}
