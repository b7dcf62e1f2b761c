"""Rules that cannot do what they are for, each with what to do; a fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.messaging.models import Content, ProviderAccount, TemplateVersion
from notifyhub.reminders.models import Occasion, ReminderRule, ReminderStep
from notifyhub.reminders.words.steps import channel_label

QUIET = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Concern:
    """One thing about one active rule that somebody should look at."""

    rule: ReminderRule
    words: str


def find_concerns() -> list[Concern]:
    """Return what is the matter with active rules: texts, accounts, and those that nothing begins by."""
    now = timezone.now()
    lately = Occasion.objects.filter(rule=OuterRef("pk"), started_at__gte=now - QUIET)
    rules = list(
        ReminderRule.objects.filter(state=ReminderRule.State.ACTIVE)
        .annotate(begun=Exists(lately))
        .select_related("live")
        .order_by("name")
    )
    steps = list(
        ReminderStep.objects.filter(rule_version__in=[rule.live_id for rule in rules])
        .select_related("template")
        .order_by("rule_version", "number")
    )
    written = _written({step.template_id for step in steps})
    served = set(ProviderAccount.objects.filter(active=True).values_list("channel", flat=True))
    by_version: dict[int, list[ReminderStep]] = {}
    for step in steps:
        by_version.setdefault(step.rule_version_id, []).append(step)
    concerns = []
    for rule in rules:
        said = _of_steps(by_version.get(rule.live_id or 0, []), written, served)
        since = rule.activated_at
        if not getattr(rule, "begun", True) and since is not None and since < now - QUIET:
            said.append(_("Nothing has begun by it for 7 days. Does its date or event still come in?"))
        concerns += [Concern(rule=rule, words=words) for words in dict.fromkeys(said)]
    return concerns


def _written(templates: Iterable[int]) -> dict[int, set[str]]:
    """Return the channels that the published text of each template is written for; none: not published."""
    published = dict(
        TemplateVersion.objects.filter(
            template__in=list(templates), state=TemplateVersion.State.PUBLISHED
        ).values_list("pk", "template")
    )
    found: dict[int, set[str]] = {template: set() for template in published.values()}
    for version, channel in Content.objects.filter(template_version__in=list(published)).values_list(
        "template_version", "channel"
    ):
        found[published[version]].add(channel)
    return found


def _of_steps(steps: list[ReminderStep], written: dict[int, set[str]], served: set[str]) -> list[str]:
    said = []
    for step in steps:
        channels = [one["channel"] for one in step.chain]
        if step.template_id not in written:
            said.append(_("The text “%s” is not published: its step waits.") % step.template)
        elif not written[step.template_id] & set(channels):
            said.append(_("The text “%s” is not written for the channels of its step.") % step.template)
        said += [
            _("No provider account sends by %s.") % channel_label(channel)
            for channel in channels
            if channel not in served
        ]
    return said
