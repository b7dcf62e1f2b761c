"""What a person may do about an account that is cut off, and who serves its channel meanwhile."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifyhub.core.errors import Refused
from notifyhub.messaging.engine import bells
from notifyhub.messaging.engine.accounts.serving import Serving, who_serves
from notifyhub.messaging.models import AccountGate
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.staff.services import audit

__all__ = ["Serving", "probe_now", "who_serves"]


@transaction.atomic
def probe_now(*, account_id: int) -> AccountGate:
    """Let the next message that is due try the account at once; return its gate.

    Raises Refused if the account is not cut off. One message goes through it; its answer decides.
    """
    gate = AccountGate.objects.select_related("account").select_for_update(of=["self"])
    found = gate.filter(pk=account_id).exclude(circuit=AccountGate.Circuit.CLOSED).first()
    if found is None:
        raise Refused(_("This account is not cut off."), code="state")
    found.retry_at = timezone.now()
    found.save(update_fields=["retry_at"])
    audit.record(verb="probe_account", obj=found.account)
    for priority in Priority:
        bells.ring_for(priority)
    return found
