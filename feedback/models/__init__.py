"""Customer service models."""

from feedback.models.case import Case, CaseCounter
from feedback.models.category import Category, Severity
from feedback.models.flow import CaseState
from feedback.models.sla import Metric, SlaClock, SlaPolicy
from feedback.models.thread import CaseDraft, CaseEvent, Interaction

__all__ = [
    "Case",
    "CaseCounter",
    "CaseDraft",
    "CaseEvent",
    "CaseState",
    "Category",
    "Interaction",
    "Metric",
    "Severity",
    "SlaClock",
    "SlaPolicy",
]
