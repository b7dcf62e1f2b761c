"""Who is told when something happens to a case: staff, behind their bell."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from feedback.models import Case, SlaClock
from notifyhub.staff.models import User
from notifyhub.staff.roles import SERVICE_LEAD
from notifyhub.staff.services.notices import notify


def case_url(case_id: int) -> str:
    """Return the address of a case's page."""
    return reverse("admin:feedback_case_change", args=[case_id])


def leads_of(case: Case) -> list[User]:
    """Return who leads the case's team; the service leads if the team has nobody."""
    active = User.objects.filter(is_active=True)
    leads = (
        list(active.filter(memberships__team_id=case.team_id, memberships__leads=True))
        if case.team_id
        else []
    )
    return leads or list(active.filter(groups__role__code=SERVICE_LEAD))


def tell_leads(case: Case) -> int:
    """Tell the leads of a serious complaint, once while unread; return how many were told."""
    if not case.is_serious_complaint:
        return 0
    return notify(
        recipients=leads_of(case),
        title=_("%(severity)s complaint %(number)s") % {"severity": case.severity, "number": case.number},
        body=case.summary,
        level="alarm",
        url=case_url(case.pk),
        dedup=f"case-serious:{case.pk}:{case.severity}",
    )


def tell_owner(case: Case, title: Any, *, level: str = "info", dedup: str = "") -> int:
    """Tell the owner something about their case; return 0 if it has none."""
    if case.owner is None:
        return 0
    return notify(
        recipients=[case.owner],
        title=title,
        body=case.summary,
        level=level,
        url=case_url(case.pk),
        dedup=dedup,
    )


def tell_warning(clock: SlaClock) -> int:
    """Tell the owner, or the leads of a case without one, that a clock runs out soon."""
    case = clock.case
    return notify(
        recipients=[case.owner] if case.owner else leads_of(case),
        title=_("%(number)s: %(metric)s is due soon")
        % {"number": case.number, "metric": clock.get_metric_display()},
        body=case.summary,
        level="warning",
        url=case_url(case.pk),
        dedup=f"clock-warn:{clock.pk}",
    )


def tell_breach(clock: SlaClock) -> int:
    """Tell the owner and the leads that a clock has run out."""
    case = clock.case
    told = {user.pk: user for user in [*leads_of(case), *([case.owner] if case.owner else [])]}
    return notify(
        recipients=told.values(),
        title=_("%(number)s: %(metric)s is late")
        % {"number": case.number, "metric": clock.get_metric_display()},
        body=case.summary,
        level="alarm",
        url=case_url(case.pk),
        dedup=f"clock-late:{clock.pk}",
    )
