"""What stands between a draft and its launch: what is missing, and who would get it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from campaigns.services.plans import past_time
from notifyhub.core.errors import Refused
from notifyhub.core.templatetags.nh import duration
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.models import Content, Delivery, SendingPolicy, TemplateVersion
from notifyhub.messaging.services.chains import StepWords, describe_chain
from notifyhub.messaging.services.dispatches import Forecast, forecast, longest_wait

# What a customer sees soonest and what costs least comes first; the inbox reaches everybody, so last.
DEFAULT_ORDER = (
    Channel.PUSH,
    Channel.WECHAT,
    Channel.EMAIL,
    Channel.SMS,
    Channel.WECOM,
    Channel.DINGTALK,
    Channel.INBOX,
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is missing or wrong, the tab where it is put right, and how."""

    tab: str
    title: str
    remedy: str
    blocking: bool = True


@dataclass(frozen=True, kw_only=True)
class MessagePlan:
    """What would be sent: the published version, the channels it has text for, and the steps in use."""

    version: TemplateVersion | None
    written: tuple[str, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()

    @property
    def chain(self) -> tuple[str, ...]:
        """Return the channels of the steps."""
        return tuple(step["channel"] for step in self.steps)

    @property
    def words(self) -> list[StepWords]:
        """Return the steps in sentences."""
        return describe_chain(self.steps)


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What a launch would do now. `forecast` is None while something blocks the count."""

    problems: list[Problem]
    forecast: Forecast | None
    version: int

    @property
    def ready(self) -> bool:
        """Say whether nothing blocks the launch."""
        return self.forecast is not None and not any(problem.blocking for problem in self.problems)


def content_of(campaign: Campaign) -> MessagePlan:
    """Return what would be sent; the pinned version once the campaign was launched."""
    version = campaign.template_version
    if version is None and campaign.template_id:
        version = (
            TemplateVersion.objects.filter(
                template=campaign.template_id, state=TemplateVersion.State.PUBLISHED
            )
            .select_related("template__topic", "created_by")
            .first()
        )
    if version is None:
        return MessagePlan(version=None)
    found = set(Content.objects.filter(template_version=version).values_list("channel", flat=True))
    written = tuple(str(channel) for channel in DEFAULT_ORDER if channel in found)
    steps = tuple(campaign.chain) or tuple({"channel": name} for name in written)
    return MessagePlan(version=version, written=written, steps=steps)


def find_problems(campaign: Campaign) -> list[Problem]:
    """Return what is missing or wrong, in the order of the tabs; at most four queries."""
    return [*_audience_problems(campaign), *_content_problems(campaign), *_schedule_problems(campaign)]


def _audience_problems(campaign: Campaign) -> list[Problem]:
    if campaign.audience_kind:
        return []
    return [
        Problem(
            tab="audience",
            title=_("No audience"),
            remedy=_("Choose everyone, or cities, tags or segments."),
        )
    ]


def _content_problems(campaign: Campaign) -> list[Problem]:
    template = campaign.template
    if template is None:
        return [Problem(tab="content", title=_("No template"), remedy=_("Choose what they get."))]
    content = content_of(campaign)
    if content.version is None:
        return [
            Problem(
                tab="content",
                title=_("“%s” has no published version") % template,
                remedy=_("Publish it on the template's page, or choose another one."),
            )
        ]
    if template.archived_at:
        return [
            Problem(
                tab="content",
                title=_("“%s” is archived") % template,
                remedy=_("Choose another template."),
            )
        ]
    if template.message_class == MessageClass.TRANSACTIONAL:
        return [
            Problem(
                tab="content",
                title=_("“%s” is transactional") % template,
                remedy=_("Campaigns need consent; choose a template of another class."),
            )
        ]
    return _chain_problems(content, template.message_class)


def _chain_problems(content: MessagePlan, message_class: str) -> list[Problem]:
    if not content.chain:
        return [Problem(tab="content", title=_("No channel"), remedy=_("The template has no text yet."))]
    problems = []
    labels = dict(Channel.choices)
    missing = [str(labels[name]) for name in content.chain if name not in content.written]
    if missing:
        problems.append(
            Problem(
                tab="content",
                title=_("No text for %s") % ", ".join(missing),
                remedy=_("Write it in the template and publish it, or take the channel out."),
            )
        )
    policy = SendingPolicy.objects.filter(message_class=message_class).first()
    barred = [name for name in content.chain if policy and name not in policy.channels]
    if barred:
        problems.append(
            Problem(
                tab="content",
                title=_("%(channels)s may not be used for %(message_class)s messages")
                % {
                    "channels": ", ".join(str(labels[name]) for name in barred),
                    "message_class": MessageClass(message_class).label,
                },
                remedy=_("Take the channel out, or ask operations to allow it in the sending policy."),
                blocking=len(barred) == len(content.chain),
            )
        )
    return problems


def _schedule_problems(campaign: Campaign) -> list[Problem]:
    problems = []
    if campaign.schedule != Campaign.Schedule.NOW:
        if campaign.send_at is None:
            problems.append(
                Problem(tab="schedule", title=_("No start time"), remedy=_("Choose the day and the time."))
            )
        elif campaign.send_at <= timezone.now():
            problems.append(Problem(tab="schedule", title=_("The start time has passed"), remedy=past_time()))
    waits = longest_wait(campaign.chain)
    if waits >= campaign.expires_after:
        problems.append(
            Problem(
                tab="schedule",
                title=_("It gives up before its last step"),
                remedy=_("The waits add up to %s. Give up later than that, or wait less.") % duration(waits),
            )
        )
    return problems


def forecast_arguments(campaign: Campaign, content: MessagePlan) -> dict[str, Any]:
    """Return what forecast and create_dispatch are told alike, so that both mean the same people."""
    assert campaign.template is not None
    return {
        "message_class": campaign.template.message_class,
        "chain": list(content.steps),
        "audience": {"kind": "rule", "rule": campaign.audience},
        "topic": campaign.template.topic,
        "template_version": content.version,
        "send_at": campaign.send_at,
    }


def gives_up_before(campaign: Campaign, moment: datetime | None) -> bool:
    """Say whether the campaign, launched now, gives up before `moment`."""
    start = max(campaign.send_at or timezone.now(), timezone.now())
    return moment is not None and start + (campaign.expires_after or timedelta(days=1)) <= moment


def preflight(campaign: Campaign) -> Preflight:
    """Return what blocks the launch and, if nothing does, who would get it and who would not and why.

    Nothing is written. Raises Refused if the count takes too long or the rule is not understood.
    """
    problems = find_problems(campaign)
    version = campaign.version
    if any(problem.blocking and problem.tab != "schedule" for problem in problems):
        return Preflight(problems=problems, forecast=None, version=version)
    numbers = forecast(**forecast_arguments(campaign, content_of(campaign)))
    if not numbers.total:
        problems.append(
            Problem(
                tab="audience",
                title=_("Nobody matches the audience"),
                remedy=_("Choose more cities, tags or segments."),
            )
        )
    elif not numbers.sendable:
        problems.append(
            Problem(
                tab="audience",
                title=_("Nobody would get it"),
                remedy=_("All %(total)s are left out, most of them for: %(reason)s.")
                % {"total": f"{numbers.total:,}", "reason": top_reason(numbers.by_reason)},
            )
        )
    elif numbers.delayed == numbers.sendable and gives_up_before(campaign, numbers.delayed_from):
        problems.append(
            Problem(
                tab="schedule",
                title=_("It would give up before quiet hours end"),
                remedy=_("Start it later, or let it give up later."),
            )
        )
    return Preflight(problems=problems, forecast=numbers, version=version)


def top_reason(by_reason: dict[str, int]) -> str:
    """Return the commonest reason in words."""
    if not by_reason:
        return "—"
    return reason_label(max(by_reason, key=lambda reason: by_reason[reason]))


def reason_label(reason: str) -> str:
    """Return a reason in words; an unknown one as it is."""
    return str(dict(Delivery.Reason.choices).get(reason, reason or _("No reason noted")))


def refuse_unless_ready(found: Preflight) -> None:
    """Raise Refused with the first problem that blocks."""
    for problem in found.problems:
        if problem.blocking:
            raise Refused(f"{problem.title}. {problem.remedy}", field=problem.tab, code="not_ready")
