"""What people do with a case besides answering it: claim, assign, wait, resolve, reopen, correct."""

from feedback.services.handling.ending import close_case, reopen_case, resolve_case, void_case
from feedback.services.handling.facts import update_facts
from feedback.services.handling.owning import assign_case, claim_case
from feedback.services.handling.waiting import resume_case, wait_case

__all__ = [
    "assign_case",
    "claim_case",
    "close_case",
    "reopen_case",
    "resolve_case",
    "resume_case",
    "update_facts",
    "void_case",
    "wait_case",
]
