"""What the pre-flight tells beyond the count: how long it takes, what each step can reach, and the caps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from campaigns.services.preflight import MessagePlan, reason_label
from notifyhub.core.templatetags.nh import duration, number, when
from notifyhub.customers.models.consent import Channel
from notifyhub.messaging.engine.limits import Policies
from notifyhub.messaging.models import Delivery
from notifyhub.messaging.services.chains import StepOutlook, expect_steps
from notifyhub.messaging.services.dispatches import Forecast
from notifyhub.messaging.services.pace import Lasting, channel_paces, how_long

Reason = Delivery.Reason

# Messages of whole minutes in the middle of runs without a rate of their own: a first and a last minute are
# cut off, and a slow campaign says nothing of the house. `sent` stands as it was at the end of its minute.
_MEASURED = """
SELECT max(m.sent - m.before) FROM (
    SELECT o.sent, o.minute, lag(o.sent) OVER w AS before, lag(o.minute) OVER w AS minute_before,
           lead(o.sent) OVER w AS after
    FROM campaigns_runminute o
    JOIN campaigns_run r ON r.id = o.run_id
    JOIN messaging_dispatch j ON j.id = r.dispatch_id AND j.rate_per_second IS NULL
    WHERE o.minute > statement_timestamp() - interval '30 days'
    WINDOW w AS (PARTITION BY o.run_id ORDER BY o.minute)
) m WHERE m.before > 0 AND m.after > m.sent AND m.minute - m.minute_before = interval '1 minute'
"""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Beyond the count: how long it takes (None where no account is), and the steps of a chain of several."""

    lasting: Lasting | None
    steps: list[StepOutlook]

    @property
    def takes(self) -> str:
        """Return how long it takes, in words."""
        if self.lasting is None:
            return ""
        if self.lasting.seconds < 60:
            return _("less than a minute")
        return _("about %s") % duration(self.lasting.seconds)

    @property
    def why(self) -> str:
        """Return what the estimate rests on, in words."""
        if self.lasting is None:
            return ""
        return _("At %(rate)s a second: %(cause)s allows no more.") % {
            "rate": number(round(self.lasting.rate)),
            "cause": self.lasting.cause,
        }

    @property
    def span(self) -> str:
        """Return from when until when, quiet hours among it."""
        if self.lasting is None or (self.lasting.seconds < 60 and self.lasting.start <= timezone.now()):
            return ""
        return _("from %(start)s to %(end)s") % {
            "start": strip_tags(str(when(self.lasting.start))),
            "end": strip_tags(str(when(self.lasting.end))),
        }


def look_ahead(campaign: Campaign, content: MessagePlan, forecast: Forecast) -> Outlook:
    """Return the outlook of a campaign whose count is known; three queries."""
    assert campaign.template is not None
    now = timezone.now()
    lasting = how_long(
        slots=forecast.slots,
        start=max(campaign.send_at or now, now),
        paces=channel_paces(content.chain),
        own_rate=campaign.rate_per_second,
        measured=_measured(),
    )
    steps = expect_steps(
        chain=content.steps, message_class=campaign.template.message_class, masks=forecast.masks
    )
    return Outlook(lasting=lasting, steps=steps)


def _measured() -> float | None:
    """Return the fastest whole minute of the last 30 days as messages a second; None if there was none."""
    with connection.cursor() as cursor:
        cursor.execute(_MEASURED)
        found = cursor.fetchone()[0]
    return found / 60 if found else None


def gives_up_in_between(campaign: Campaign, outlook: Outlook, start: datetime) -> bool:
    """Say whether the campaign gives up before the last message of this estimate has left."""
    if outlook.lasting is None or campaign.expires_after is None:
        return False
    return max(start, campaign.send_at or start) + campaign.expires_after < outlook.lasting.end


def cap_labels(message_class: str, channels: Sequence[str]) -> dict[str, str]:
    """Return what the reasons of frequency caps are called with their numbers; two statements."""
    policies = Policies()
    day: dict[str, int] = {}
    week: dict[str, int] = {}
    for channel in channels:
        for cap in policies.limits(message_class, channel).caps:
            if cap.day is not None:
                day[cap.channel] = cap.day
            if cap.week is not None:
                week[cap.channel] = cap.week
    found = {}
    for reason, limits in ((Reason.CAP_DAY, day), (Reason.CAP_WEEK, week)):
        if limits:
            words = ", ".join(_limit(channel, limit) for channel, limit in sorted(limits.items()))
            found[reason.value] = _("%(label)s (%(limit)s)") % {"label": reason_label(reason), "limit": words}
    return found


def _limit(channel: str, limit: int) -> str:
    if not channel:
        return str(limit)
    return f"{Channel(channel).label} {limit}"
