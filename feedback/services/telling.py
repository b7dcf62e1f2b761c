"""Telling the customers app what happened to its customers' cases, in the transaction in which it happened.

Rules start and stop by these events: a survey after a case is closed, no reminder while one is open.
"""

from datetime import datetime

from feedback.models import Case, CaseState
from feedback.models.flow import OPEN_STATES
from notifyhub.customers.services.events.own import record_own_event, record_own_events

OPENED, CLOSED, REOPENED = "opened", "closed", "reopened"


def tell_opened(case: Case) -> bool:
    """Tell that the case was opened, once its customer is known; return whether that was news."""
    return _tell(case, OPENED, at=case.created_at)


def tell_moved(case: Case, *, before: str, at: datetime) -> bool:
    """Tell that the case was closed or opened again, if this move from the state `before` did so.

    To the customer a case is closed when it is resolved; that it is put away for good a week later is not
    told again, unless nobody resolved it before. Return whether that was news.
    """
    if case.is_open and before not in OPEN_STATES:
        return _tell(case, REOPENED, cycle=case.cycle, at=at)
    if case.is_open:
        return False
    # One that was set aside can come back in the same cycle and be resolved then.
    aside = case.state in (CaseState.VOID, CaseState.MERGED)
    return _tell(case, CLOSED, cycle=case.cycle, at=at, how=case.state if aside else CLOSED)


def _tell(case: Case, what: str, *, at: datetime, cycle: int | None = None, how: str = "") -> bool:
    if case.customer_id is None:
        return False
    name = f"case:{case.number}:{how or what}"
    return record_own_event(
        message_id=name if cycle is None else f"{name}:{cycle}",
        customer_id=case.customer_id,
        name=f"case_{what}",
        occurred_at=at,
        order_number=case.order_number,
        properties={
            "case": case.number,
            "kind": case.kind,
            "severity": case.severity,
            "category": case.category.code,
            "state": case.state,
            "decision": case.decision,
            "resolution": case.resolution_code,
            "cause": case.root_cause,
            "cycle": case.cycle,
        },
    )


# The same events as above for cases that are there already, as after an import.
_PAST = """
    SELECT 'case:' || k.number || ':' || e.end AS message_id, k.customer_id, e.name, e.at AS occurred_at,
           k.order_number,
           jsonb_build_object('case', k.number, 'kind', k.kind, 'severity', k.severity, 'category', g.code,
               'state', k.state, 'decision', k.decision, 'resolution', k.resolution_code,
               'cause', k.root_cause, 'cycle', k.cycle) AS properties
    FROM feedback_case k
    JOIN feedback_category g ON g.id = k.category_id
    CROSS JOIN LATERAL (
        SELECT 'opened' AS end, 'case_opened' AS name, k.created_at AS at
        UNION ALL
        SELECT 'closed:' || k.cycle, 'case_closed', k.resolved_at WHERE k.resolved_at IS NOT NULL
    ) e
    WHERE k.customer_id IS NOT NULL
"""


def tell_past_cases() -> int:
    """Tell of every case that is there, in one statement; return how many events were new."""
    return sum(map(len, record_own_events(select=_PAST, params={}).values()))
