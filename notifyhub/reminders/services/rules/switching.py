"""Switching rules on and off."""

from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.models import Content, Template, TemplateVersion
from notifyhub.reminders.models import ReminderRule
from notifyhub.staff.services import audit

State = ReminderRule.State


class Unsendable(NamedTuple):
    """Why one template cannot be sent: a sentence around its name, which a page makes a link."""

    template: Template
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.before}{self.template}{self.after}"


def _say(sentence: str, template: Template) -> Unsendable:
    before, _name, after = sentence.partition("%s")
    return Unsendable(template, before, after)


def find_unsendable(rule: ReminderRule) -> list[Unsendable]:
    """Return a sentence for each template of the version in force that cannot be sent as it stands."""
    if rule.live is None:
        return []
    steps = list(rule.live.steps.select_related("template"))
    versions = dict(
        TemplateVersion.objects.filter(
            template__in={step.template_id for step in steps}, state=TemplateVersion.State.PUBLISHED
        ).values_list("template", "pk")
    )
    written: dict[int, set[str]] = {}
    for version, channel in Content.objects.filter(template_version__in=versions.values()).values_list(
        "template_version", "channel"
    ):
        written.setdefault(version, set()).add(channel)
    sentences: list[Unsendable] = []
    for step in steps:
        channels = {one["channel"] for one in step.chain}
        if step.template_id not in versions:
            sentences.append(_say(_("Publish the template “%s” first."), step.template))
        elif not written.get(versions[step.template_id], set()) & channels:
            words = _("The template “%s” has no text for the channels of its step.")
            sentences.append(_say(words, step.template))
    return list(dict.fromkeys(sentences))


def refuse_unsendable(rule: ReminderRule) -> None:
    """Raise Refused while a template of the rule cannot be sent."""
    sentences = find_unsendable(rule)
    if sentences:
        raise Refused(" ".join(map(str, sentences)))


@transaction.atomic
def activate_rule(*, rule_id: int) -> None:
    """Let the rule make due rows from now on. Raises Refused while a template cannot be sent."""
    moved = ReminderRule.FLOW.advance(
        ReminderRule.objects.filter(pk=rule_id), to=State.ACTIVE, activated_at=timezone.now(), planned_at=None
    )
    if not moved:
        raise Refused(_("This rule cannot be activated; it is active already or archived."))
    rule = ReminderRule.objects.select_related("live").get(pk=rule_id)
    refuse_unsendable(rule)
    audit.record(verb="activate_reminder_rule", obj=rule)


@transaction.atomic
def pause_rule(*, rule_id: int, reason: str = "") -> None:
    """Stop the rule at once: what was planned is stopped, what waits in sending is skipped."""
    if not ReminderRule.FLOW.advance(
        ReminderRule.objects.filter(pk=rule_id), to=State.PAUSED, planned_at=None
    ):
        raise Refused(_("Only an active rule can be paused."))
    audit.record(verb="pause_reminder_rule", obj=ReminderRule.objects.get(pk=rule_id), reason=reason)


@transaction.atomic
def archive_rule(*, rule_id: int) -> None:
    """Put the rule away for good; its history stays."""
    if not ReminderRule.FLOW.advance(ReminderRule.objects.filter(pk=rule_id), to=State.ARCHIVED):
        raise Refused(_("Pause the rule before you archive it."))
    audit.record(verb="archive_reminder_rule", obj=ReminderRule.objects.get(pk=rule_id))
