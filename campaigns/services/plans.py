"""Writing the plan: create, change, copy, archive."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from campaigns.services.audience import build_rule
from notifyhub.core.errors import Conflict, Refused
from notifyhub.core.keys import create_with_key
from notifyhub.customers.models.consent import Channel, MessageClass
from notifyhub.messaging.models import Template
from notifyhub.messaging.services.dispatches import check_chain
from notifyhub.staff.models import Team, User
from notifyhub.staff.services import audit

NAME_LENGTH = 120
LONGEST_EXPIRY = timedelta(days=30)
FASTEST_RATE = 100_000
# A version is compared by whoever edits; programs that do not show a form pass None.
COPIED = (
    "note",
    "audience_kind",
    "audience",
    "template_id",
    "chain",
    "schedule",
    "expires_after",
    "rate_per_second",
)


def _clean_name(name: str) -> str:
    name = " ".join((name or "").split())
    if not name or "\x00" in name:
        raise Refused(_("Give the campaign a name."), field="name")
    if len(name) > NAME_LENGTH:
        raise Refused(_("At most %d characters, please.") % NAME_LENGTH, field="name")
    return name


def _team_of(user: User | None) -> Team | None:
    return user.teams.filter(active=True).order_by("pk").first() if user else None


def _insert(*, name: str, owner: User | None, **fields: Any) -> Campaign:
    fallback = f"campaign-{timezone.localdate():%Y%m%d}"
    return create_with_key(
        Campaign.objects.all(),
        name=name,
        fallback=fallback,
        owner=owner,
        owner_team=_team_of(owner),
        **fields,
    )


@transaction.atomic
def create_campaign(*, name: str, owner: User | None = None, note: str = "") -> Campaign:
    """Create a draft with a key of its own and return it; Refused (field "name") without a usable name."""
    campaign = _insert(name=_clean_name(name), owner=owner, note=note[:500])
    audit.record(verb="create_campaign", obj=campaign, key=campaign.key)
    return campaign


@transaction.atomic
def copy_campaign(*, campaign_id: int, owner: User | None = None) -> Campaign:
    """Return a new draft with the same audience, template and channels; a set time is left open."""
    source = Campaign.objects.get(pk=campaign_id)
    name = (_("Copy of %s") % source.name)[:NAME_LENGTH]
    campaign = _insert(name=name, owner=owner, **{field: getattr(source, field) for field in COPIED})
    audit.record(verb="copy_campaign", obj=campaign, key=campaign.key, source=source.key)
    return campaign


@transaction.atomic
def archive_campaign(*, campaign_id: int) -> Campaign:
    """Put the campaign away and return it; Refused while one of its runs may still send."""
    campaign = Campaign.objects.select_for_update().get(pk=campaign_id)
    if campaign.runs.open().exists():
        raise Refused(_("This campaign is still sending. Cancel it or wait until it has finished."))
    rows = Campaign.objects.filter(pk=campaign_id)
    if not Campaign.FLOW.advance(
        rows, to=Campaign.State.ARCHIVED, version=F("version") + 1, updated_at=timezone.now()
    ):
        raise Refused(_("This campaign is archived already."))
    audit.record(verb="archive_campaign", obj=campaign, key=campaign.key)
    campaign.refresh_from_db()
    return campaign


def _clean_audience(change: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(change.get("kind") or "")
    return {"audience_kind": kind, "audience": build_rule(kind=kind, values=change.get("values") or ())}


def _clean_template(template_id: Any) -> dict[str, Any]:
    if template_id in (None, ""):
        return {"template_id": None}
    template = Template.objects.filter(pk=template_id, archived_at=None).first()
    if template is None:
        raise Refused(_("This template is no longer there. Choose another one."), field="template")
    if template.message_class == MessageClass.TRANSACTIONAL:
        raise Refused(
            _("A campaign cannot use a transactional template: it would reach people who did not agree."),
            field="template",
        )
    return {"template_id": template.pk}


def _clean_chain(steps: Any) -> dict[str, Any]:
    """Return the chain of these steps, each {"channel", "wait", "until"} or the name of a channel alone."""
    chain: dict[str, dict[str, Any]] = {}
    for step in steps or ():
        facts = step if isinstance(step, Mapping) else {"channel": step}
        name = facts.get("channel")
        if name not in Channel.values:
            raise Refused(_("Choose from the channels shown."), field="chain")
        wanted = {key: facts[key] for key in ("wait", "until") if facts.get(key) is not None}
        if wanted.get("until") == "delivered":
            del wanted["until"]
        chain.setdefault(str(name), {"channel": name, **wanted})
    cleaned = list(chain.values())
    if cleaned:
        # Nothing follows the last step, so it waits for nothing.
        cleaned[-1] = {"channel": cleaned[-1]["channel"]}
        check_chain(cleaned)
    return {"chain": cleaned}


def _clean_rate(rate: Any) -> dict[str, Any]:
    if rate in (None, ""):
        return {"rate_per_second": None}
    if type(rate) is not int or not 1 <= rate <= FASTEST_RATE:
        raise Refused(
            _("Write how many messages a second, from 1 to %s, or nothing for no limit.")
            % f"{FASTEST_RATE:,}",
            field="rate",
        )
    return {"rate_per_second": rate}


def _clean_schedule(change: Mapping[str, Any]) -> dict[str, Any]:
    schedule, send_at = change.get("schedule"), change.get("send_at")
    if schedule not in Campaign.Schedule.values:
        raise Refused(_("Choose when it is sent."), field="schedule")
    if schedule == Campaign.Schedule.NOW:
        send_at = None
    elif send_at is None:
        raise Refused(_("Choose the day and the time."), field="send_at")
    elif send_at <= timezone.now():
        raise Refused(past_time(), field="send_at")
    expires_after = change.get("expires_after") or timedelta(days=1)
    if not timedelta(minutes=10) <= expires_after <= LONGEST_EXPIRY:
        raise Refused(_("Choose between 10 minutes and 30 days."), field="expires_after")
    return {"schedule": schedule, "send_at": send_at, "expires_after": expires_after}


def past_time() -> str:
    """Return what to say about a time that is over, with one that is not, in the viewer's zone."""
    return _("This time has passed. Choose a time after %s.") % f"{timezone.localtime():%H:%M}"


@transaction.atomic
def update_campaign(*, campaign_id: int, version: int | None, changes: Mapping[str, Any]) -> Campaign:
    """Change a draft and return it.

    `changes` may hold name, note, audience ({"kind", "values"}), template (id or None), chain (channel
    names, or steps with "channel", "wait" in seconds and "until"), schedule ({"schedule", "send_at",
    "expires_after"}), rate (messages a second or None). Raises Refused with the field that is wrong,
    Conflict if the draft has another version than `version`, Refused once it was launched.
    """
    written: dict[str, Any] = {}
    if "name" in changes:
        written["name"] = _clean_name(changes["name"])
    if "note" in changes:
        written["note"] = str(changes["note"] or "")[:500].replace("\x00", "")
    if "audience" in changes:
        written |= _clean_audience(changes["audience"])
    if "template" in changes:
        written |= _clean_template(changes["template"])
    if "chain" in changes:
        written |= _clean_chain(changes["chain"])
    if "schedule" in changes:
        written |= _clean_schedule(changes["schedule"])
    if "rate" in changes:
        written |= _clean_rate(changes["rate"])
    rows = Campaign.objects.filter(pk=campaign_id, state=Campaign.State.DRAFT)
    if version is not None:
        rows = rows.filter(version=version)
    moved = rows.update(**written, version=F("version") + 1, updated_at=timezone.now())
    campaign = Campaign.objects.get(pk=campaign_id)
    if not moved:
        raise _why_not(campaign)
    audit.record(verb="update_campaign", obj=campaign, key=campaign.key, fields=sorted(changes))
    return campaign


def _why_not(campaign: Campaign) -> Refused:
    if not campaign.editable:
        return Refused(_("This campaign was launched, so it can no longer be changed. Make a copy instead."))
    return Conflict(
        _("Somebody changed this campaign meanwhile. Your entries are kept; compare and save again."),
        current=campaign.version,
    )
