"""Launching: the one step from plan to sending."""

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Run
from campaigns.services.preflight import (
    MessagePlan,
    content_of,
    forecast_arguments,
    preflight,
    refuse_unless_ready,
)
from notifyhub.core.errors import Conflict, Refused
from notifyhub.messaging.services.dispatches import create_dispatch
from notifyhub.staff.models import User
from notifyhub.staff.services import audit

# From this many people on, the launch asks for their number: a slip of the finger does not know it.
CONFIRM_ABOVE = 1_000


def launch_campaign(
    *, campaign_id: int, user: User | None = None, confirmed: int | None = None, trigger: str = ""
) -> Run:
    """Launch the campaign once and return its run.

    `confirmed` is the number of people that the launcher was shown; above 1,000 it must be today's number.
    Raises Refused if something is missing, the number differs, or it was launched already, and Conflict if
    the plan was changed while it was being counted. Of two launches at once, one wins.
    """
    campaign = Campaign.objects.select_related("template__topic", "owner", "owner_team").get(pk=campaign_id)
    if not campaign.editable:
        raise _not_a_draft(campaign)
    found = preflight(campaign)
    refuse_unless_ready(found)
    assert found.forecast is not None
    expected = found.forecast.sendable
    _check_confirmed(expected, confirmed)
    return _launch(campaign, content_of(campaign), expected=expected, user=user, trigger=trigger)


def _check_confirmed(expected: int, confirmed: int | None) -> None:
    if confirmed is None and expected <= CONFIRM_ABOVE:
        return
    if confirmed == expected:
        return
    if confirmed is None:
        sentence = _("This goes to %(expected)s people. Type that number to confirm it.")
    else:
        sentence = _(
            "This would go to %(expected)s people, not %(confirmed)s. Look at the pre-flight again, then "
            "type the number it shows."
        )
    raise Refused(
        sentence % {"expected": f"{expected:,}", "confirmed": f"{confirmed or 0:,}"},
        field="confirmed",
        code="confirm",
    )


@transaction.atomic
def _launch(
    campaign: Campaign, content: MessagePlan, *, expected: int, user: User | None, trigger: str
) -> Run:
    now = timezone.now()
    assert content.version is not None
    # The version read before counting is part of the guard: what was counted is what is launched.
    rows = Campaign.objects.filter(pk=campaign.pk, version=campaign.version)
    if not Campaign.FLOW.advance(
        rows,
        to=Campaign.State.ACTIVE,
        template_version=content.version,
        chain=list(content.steps),
        version=F("version") + 1,
        updated_at=now,
    ):
        raise _not_a_draft(Campaign.objects.get(pk=campaign.pk))
    launcher = str(user) if user else _("system")
    owner = campaign.owner or user
    start = max(campaign.send_at, now) if campaign.send_at else now
    dispatch = create_dispatch(
        title=campaign.name,
        origin_kind="campaign",
        origin_id=campaign.key,
        trigger=trigger or launcher,
        owner=owner,
        owner_team=campaign.owner_team,
        author=str(content.version.created_by or owner or ""),
        # Whoever launches another's plan vouches for it; nobody approves their own.
        approved_by=launcher if user and owner and user.pk != owner.pk else "",
        expires_at=start + (campaign.expires_after or timedelta(days=1)),
        rate_per_second=campaign.rate_per_second,
        **forecast_arguments(campaign, content),
    )
    run = Run.objects.create(
        campaign=campaign,
        number=campaign.runs.count() + 1,
        dispatch=dispatch,
        state=Run.State.SCHEDULED if start > now else Run.State.RUNNING,
        expected=expected,
        launched_by=user,
        launched_at=now,
    )
    audit.record(
        verb="launch_campaign",
        obj=campaign,
        key=campaign.key,
        dispatch=dispatch.pk,
        expected=expected,
        template_version=content.version.pk,
    )
    return run


def _not_a_draft(campaign: Campaign) -> Refused:
    if campaign.state == Campaign.State.DRAFT:
        return Conflict(
            _("Somebody changed this campaign while it was being counted. Look at it again, then launch."),
            current=campaign.version,
        )
    if campaign.state == Campaign.State.ARCHIVED:
        return Refused(_("This campaign is archived. Make a copy to send it."), code="archived")
    return Refused(_("This campaign was launched already. Make a copy to send it again."), code="launched")
