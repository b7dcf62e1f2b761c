"""How states look: the word and the colour, the same on every page and card."""

from typing import Any

from django.utils.translation import gettext as _

from campaigns.models import Campaign, Run
from notifyhub.messaging.models import Dispatch

State = Dispatch.State
# (tone, icon) by state of the dispatch.
LOOKS = {
    State.SCHEDULED: ("grey", "schedule"),
    State.PLANNING: ("blue", "hourglass_top"),
    State.RUNNING: ("violet", ""),
    State.PAUSED: ("orange", "pause"),
    State.CANCELLING: ("orange", "block"),
    State.CANCELLED: ("grey", "block"),
    State.FINISHED: ("green", "check"),
}


def run_look(run: Run) -> dict[str, Any]:
    """Return label, tone and icon of a run's chip, read off its dispatch."""
    state = State(run.dispatch.state)
    tone, icon = LOOKS[state]
    label = {State.SCHEDULED: _("Scheduled"), State.PLANNING: _("Preparing")}.get(state, state.label)
    return {"label": label, "tone": tone, "icon": icon}


def campaign_look(campaign: Campaign, run: Run | None) -> dict[str, Any]:
    """Return label, tone and icon of a campaign's chip: the run speaks once there is one."""
    if campaign.state == Campaign.State.ARCHIVED:
        return {"label": _("Archived"), "tone": "grey", "icon": ""}
    if run is not None:
        return run_look(run)
    return {"label": _("Draft"), "tone": "grey", "icon": ""}


def settled(dispatch: Dispatch) -> int:
    """Return how many messages have come to an end, from the dispatch's counters."""
    return min(dispatch.planned, dispatch.sent + dispatch.failed + dispatch.skipped + dispatch.unknown)
