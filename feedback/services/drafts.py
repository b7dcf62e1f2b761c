"""What somebody is writing, kept for them alone."""

from django.utils import timezone

from feedback.models import CaseDraft, Interaction
from notifyhub.staff.models import User

MAX_DRAFT = 8000


def save_draft(*, case_id: int, user: User, mode: str, channel: str, body: str) -> CaseDraft | None:
    """Keep the text of one person in one case; return it, or None when it was emptied."""
    if not body.strip():
        drop_draft(case_id=case_id, user=user)
        return None
    if mode not in Interaction.Kind.values:
        mode = Interaction.Kind.REPLY
    facts = {"mode": mode, "channel": channel[:10], "body": body[:MAX_DRAFT], "saved_at": timezone.now()}
    return CaseDraft.objects.update_or_create(case_id=case_id, user=user, defaults=facts)[0]


def drop_draft(*, case_id: int, user: User) -> int:
    """Forget the draft; return 1 if there was one."""
    return CaseDraft.objects.filter(case_id=case_id, user=user).delete()[0]
