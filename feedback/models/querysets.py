"""Questions about cases."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Count, Q

from feedback.models.flow import OPEN_STATES, WAITING, CaseState

if TYPE_CHECKING:
    from feedback.models.case import Case  # noqa: F401

DUE_SOON = timedelta(minutes=30)


def _own_teams(user: Any) -> Any:
    return user.memberships.values("team_id")


class CaseQuerySet(models.QuerySet["Case"]):
    """Adjectives filter; `visible_to` is the one predicate of lists, pages, actions and search."""

    def visible_to(self, user: Any) -> "CaseQuerySet":
        """Return the cases `user` may see: all, or their own and those of their teams or of no team."""
        if not user.has_perm("feedback.view_case"):
            return self.none()
        if user.has_perm("feedback.view_all_case"):
            return self
        return self.filter(
            Q(owner=user) | Q(created_by=user) | Q(team_id=None) | Q(team_id__in=_own_teams(user))
        )

    def open(self) -> "CaseQuerySet":
        """Return the cases in which something is still to do."""
        return self.filter(state__in=OPEN_STATES)

    def for_queue(self) -> "CaseQuerySet":
        """Return rows with what one line of the queue shows."""
        return self.select_related("category__parent__parent", "customer", "owner", "team").defer(
            "detail", "contact_phone", "customer__attributes"
        )

    def in_view(self, view: str, *, user: Any, now: datetime) -> "CaseQuerySet":
        """Return the cases of one view of the queue (see VIEWS); an unknown name gives all open ones."""
        condition = view_conditions(user=user, now=now).get(view)
        return self.filter(condition) if condition is not None else self.open()

    def count_views(self, *, user: Any, now: datetime) -> dict[str, int]:
        """Return how many cases each view of open cases holds, in one query over the open ones."""
        conditions = view_conditions(user=user, now=now)
        conditions.pop("resolved")
        return self.open().aggregate(
            **{view: Count("pk", filter=condition) for view, condition in conditions.items()}
        )

    def in_queue_order(self) -> "CaseQuerySet":
        """Return the late ones first, then by due time, severity and age; paused ones last."""
        return self.order_by(models.F("next_due_at").asc(nulls_last=True), "severity", "id")

    def after(self, case: Any) -> "CaseQuerySet":
        """Return what follows `case` in the order of the queue."""
        tail = Q(severity__gt=case.severity) | Q(severity=case.severity, pk__gt=case.pk)
        if case.next_due_at is None:
            return self.filter(tail, next_due_at=None)
        return self.filter(
            Q(next_due_at=None)
            | Q(next_due_at__gt=case.next_due_at)
            | (Q(next_due_at=case.next_due_at) & tail)
        )


def view_conditions(*, user: Any, now: datetime) -> dict[str, Q]:
    """Return the condition of each view, in the order in which the queue lists them."""
    still_open = Q(state__in=OPEN_STATES)
    return {
        "mine": still_open & Q(owner=user),
        "team": still_open & Q(team_id__in=_own_teams(user)),
        "due": still_open & Q(next_due_at__gt=now, next_due_at__lte=now + DUE_SOON),
        "breached": still_open & Q(next_due_at__lte=now),
        "replied": Q(state=CaseState.OPEN, unanswered=True),
        "unassigned": still_open & Q(owner=None),
        "waiting": Q(state__in=WAITING),
        "failed": still_open & Q(failed_replies__gt=0),
        "all": still_open,
        "resolved": Q(state__in=(CaseState.RESOLVED, CaseState.CLOSED)),
    }
