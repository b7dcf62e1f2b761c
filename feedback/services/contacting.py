"""A contact about an order or bill that an agent made counts like a message about it."""

from feedback.models import Case
from notifyhub.messaging.services.contacts import note_subject_contact


def count_contact(case: Case) -> None:
    """Have service messages keep their gap to what was just said about the subject of the case."""
    if case.customer_id is not None and case.subject_ref:
        note_subject_contact(customer_id=case.customer_id, subject_ref=case.subject_ref)
