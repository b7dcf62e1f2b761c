"""Reading what people type about time."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Campaign
from notifyhub.core.errors import Refused

EXPIRY = (
    (1, gettext_lazy("1 hour")),
    (6, gettext_lazy("6 hours")),
    (24, gettext_lazy("1 day")),
    (72, gettext_lazy("3 days")),
    (168, gettext_lazy("7 days")),
)


class ScheduleForm:
    """The schedule as the browser's own date field writes it, in the viewer's zone, and the rate."""

    FIELDS = ("schedule", "send_at", "expires_after", "rate")

    @staticmethod
    def stored(campaign: Campaign) -> dict[str, Any]:
        """Return the saved schedule as form values."""
        at = timezone.localtime(campaign.send_at) if campaign.send_at else None
        return {
            "schedule": campaign.schedule,
            "send_at": f"{at:%Y-%m-%dT%H:%M}" if at else "",
            "expires_after": str(int(campaign.expires_after.total_seconds() // 3600)),
            "rate": str(campaign.rate_per_second or ""),
        }

    @staticmethod
    def read_rate(typed: dict[str, str]) -> int | str | None:
        """Return the typed rate as a number, None for no limit; what is no number as it is, to be refused."""
        raw = typed["rate"].replace(",", "").strip()
        return None if not raw else int(raw) if raw.isdecimal() and len(raw) < 10 else raw

    @staticmethod
    def read(typed: dict[str, str]) -> dict[str, Any]:
        """Return what update_campaign takes as `schedule`; Refused if the time is not one."""
        hours = typed["expires_after"]
        if hours not in {str(allowed) for allowed, _label in EXPIRY}:
            raise Refused(_("Choose one of the spans shown."), field="expires_after")
        return {
            "schedule": typed["schedule"],
            "send_at": _moment(typed["send_at"]) if typed["schedule"] == Campaign.Schedule.AT else None,
            "expires_after": timedelta(hours=int(hours)),
        }


def _moment(raw: str) -> datetime | None:
    if not raw.strip():
        return None
    try:
        found = parse_datetime(raw.strip())
    except ValueError:
        found = None
    if found is None:
        raise Refused(_("Write the time like 2026-11-23 10:00."), field="send_at")
    try:
        return timezone.make_aware(found) if timezone.is_naive(found) else found
    except (OverflowError, ValueError) as error:
        raise Refused(_("Write the time like 2026-11-23 10:00."), field="send_at") from error
