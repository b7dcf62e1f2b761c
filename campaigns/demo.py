"""Demo campaigns: three that have finished, one that is sending, one planned, one draft."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone, translation

from campaigns.models import Campaign, Run, RunMinute
from campaigns.services.launching import launch_campaign
from campaigns.services.plans import create_campaign, update_campaign
from campaigns.services.preflight import preflight
from campaigns.services.runs import mirror_runs
from notifyhub.core.registry import demo_loaders
from notifyhub.customers.demo.story import NUMBER
from notifyhub.messaging.demo.orders import bounce_empty_numbers
from notifyhub.messaging.engine.foreground import drain_everything
from notifyhub.messaging.models import ProviderAccount, Template
from notifyhub.staff.models import User

# name, template, audience kind and values, channels; and how many days ago
Plan = tuple[str, str, str, list[str], list[str]]
FINISHED: tuple[tuple[int, Plan], ...] = (
    (12, ("会员日预告 · 十月", "member-day", "all", [], ["push"])),
    (7, ("三亚暖冬机酒早订", "sanya-winter", "city", ["上海", "北京", "杭州", "成都"], ["wechat", "email"])),
    (0, ("秋冬火锅季 · 预热", "autumn-hotpot", "all", [], ["push", "sms", "email"])),
)
RUNNING: Plan = ("三亚暖冬机酒 · 第二轮", "sanya-winter", "all", [], ["wechat"])
# So slow that a visitor of the first minutes still finds it under way.
SLOW = 1

# The demo sends for real, into the sandbox; its history is then moved to where it belongs.
_MOVE = (
    "UPDATE messaging_delivery SET send_at = send_at - %(by)s, settled_at = settled_at - %(by)s, "
    "delivered_at = delivered_at - %(by)s WHERE dispatch_id = %(id)s",
    "UPDATE messaging_deliveryevent SET at = at - %(by)s WHERE dispatch_id = %(id)s",
    "UPDATE messaging_messagecopy SET at = at - %(by)s WHERE dispatch_id = %(id)s",
    "UPDATE messaging_batch SET not_before = not_before - %(by)s WHERE dispatch_id = %(id)s",
    "UPDATE messaging_dispatch SET send_at = send_at - %(by)s, created_at = created_at - %(by)s, "
    "started_at = started_at - %(by)s, finished_at = finished_at - %(by)s, expires_at = expires_at - %(by)s "
    "WHERE id = %(id)s",
)
MINUTES = 14
# What is kept as text on the pages of messages, such as who launched them.
LANGUAGE = "zh-hans"


def _plan(name: str, template: str, kind: str, values: list[str], channels: list[str]) -> Campaign:
    owner = User.objects.get(username="linxia")
    campaign = create_campaign(name=name, owner=owner)
    return update_campaign(
        campaign_id=campaign.pk,
        version=campaign.version,
        changes={
            "audience": {"kind": kind, "values": values},
            "template": Template.objects.get(key=template).pk,
            "chain": channels,
        },
    )


def _launch(campaign: Campaign) -> Run:
    forecast = preflight(campaign).forecast
    return launch_campaign(
        campaign_id=campaign.pk,
        user=campaign.owner,
        confirmed=forecast.sendable if forecast else None,
    )


def _office_hours(began: datetime, days: int, n: int) -> datetime:
    """Return a time on that day at which somebody would send promotions; today, the last hours have to do."""
    at = (began - timedelta(days=days)).replace(hour=9 + n % 9, minute=n * 7 % 60)
    midnight = began.replace(hour=0, minute=1, second=0)
    return at if days else max(began - timedelta(minutes=95), min(midnight, began))


def _move_back(run: Run, days: int) -> None:
    began = timezone.localtime(run.launched_at)
    by = began - _office_hours(began, days, run.pk)
    values: dict[str, Any] = {"by": by, "id": run.dispatch_id}
    with connection.cursor() as cursor:
        for sql in _MOVE:
            cursor.execute(sql, values)
    run.refresh_from_db()
    launched = run.launched_at - by
    Campaign.objects.filter(pk=run.campaign_id).update(created_at=launched - timedelta(days=1))
    finished = launched + timedelta(minutes=MINUTES)
    Run.objects.filter(pk=run.pk).update(launched_at=launched, finished_at=finished)
    run.minutes.all().delete()
    sent = int(run.dispatch.sent)
    start = launched.replace(second=0, microsecond=0)
    RunMinute.objects.bulk_create(
        RunMinute(
            run=run,
            minute=start + timedelta(minutes=n),
            # A slow start for the canary, then an even stream.
            sent=(done := int(sent * min(1.0, (n / MINUTES) ** 1.25))),
            delivered=int(done * 0.995),
        )
        for n in range(MINUTES + 1)
    )


def load(say: Callable[[str], None]) -> None:
    """Launch the campaigns that have finished and give them their past."""
    for days, plan in FINISHED:
        with translation.override(LANGUAGE):
            run = _launch(_plan(*plan))
        drain_everything()
        bounce_empty_numbers([run.dispatch_id], but=NUMBER)
        mirror_runs()
        _move_back(run, days)
    say(f"{len(FINISHED)} campaigns that have finished")


def load_present(say: Callable[[str], None]) -> None:
    """Launch the campaign that is sending, and plan what comes next."""
    ProviderAccount.objects.filter(channel="wechat", backend="sandbox").update(rate_per_second=SLOW)
    with translation.override(LANGUAGE):
        _launch(_plan(*RUNNING))
    planned = _plan("会员日预告", "member-day", "all", [], ["push"])
    soon = timezone.localtime().replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=2)
    planned = _schedule(planned, soon)
    with translation.override(LANGUAGE):
        _launch(planned)
    _plan("火锅季 · 沉睡客户唤醒", "autumn-hotpot", "tag", ["夜宵"], ["push", "sms"])
    say("1 campaign that is sending, 1 planned and 1 draft")


def _schedule(campaign: Campaign, at: Any) -> Campaign:
    return update_campaign(
        campaign_id=campaign.pk,
        version=campaign.version,
        changes={"schedule": {"schedule": "at", "send_at": at, "expires_after": timedelta(hours=12)}},
    )


def register() -> None:
    """Hand the loaders to the registry: what complaints of today hold back was sent before them."""
    demo_loaders.register("campaigns", load, order=27)
    demo_loaders.register("campaigns under way", load_present, order=40)
