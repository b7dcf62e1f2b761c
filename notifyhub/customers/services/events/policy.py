"""Deciding what becomes of events of unknown customers."""

from django.db import transaction
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import EventPolicy
from notifyhub.staff.services import audit


@transaction.atomic
def change_policy(*, unknown: str, waiting_days: int, version: int | None) -> EventPolicy:
    """Write the policy for the events to come; return it. Raises Conflict if it changed since `version`."""
    if unknown not in EventPolicy.Unknown.values:
        raise Refused(_("Choose what becomes of an unknown customer."), field="unknown")
    if not 1 <= waiting_days <= 400:
        raise Refused(_("Choose 1 to 400 days."), field="waiting_days")
    EventPolicy.objects.get_or_create(pk=1)
    policy = EventPolicy.objects.select_for_update().get(pk=1)
    if version is not None and policy.version != version:
        raise Conflict(
            _("Somebody changed this meanwhile. Your entries are kept; compare and save again."),
            current=policy.version,
        )
    policy.unknown, policy.waiting_days, policy.version = unknown, waiting_days, policy.version + 1
    policy.save()
    audit.record(verb="change_event_policy", obj=policy, unknown=unknown, waiting_days=waiting_days)
    return policy
