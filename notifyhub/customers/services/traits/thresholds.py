"""Changing the thresholds of the portraits."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from notifyhub.core.errors import Conflict, Refused
from notifyhub.customers.models import CustomerTrait, Stage, TraitBlock, TraitSettings
from notifyhub.customers.services.limits import time_limit
from notifyhub.customers.services.traits.refreshing import lock_settings
from notifyhub.staff.services import audit

FIELDS = (
    "new_days",
    "active_days",
    "cooling_days",
    "asleep_days",
    "favourite_orders",
    "reaction_days",
    "reaction_minimum",
    "currency",
)
SECONDS = 3


@transaction.atomic
def update_thresholds(*, changes: Mapping[str, Any], version: int | None) -> TraitSettings:
    """Write what changed and let every portrait be computed again; return the row.

    Raises Conflict if somebody changed it since `version`, Refused (field = its name) if a value cannot be.
    """
    row = lock_settings()
    if version is not None and row.version != version:
        raise Conflict(
            _("Somebody changed this meanwhile. Your entries are kept; compare and save again."),
            current=row.version,
        )
    for name, value in changes.items():
        if name not in FIELDS:
            raise Refused(_("This cannot be changed."), field=name)
        try:
            field: Any = TraitSettings._meta.get_field(name)
            value = field.clean(value, row)
        except ValidationError as error:
            raise Refused(" ".join(error.messages), field=name) from error
        setattr(row, name, value)
    for shorter, longer in (("active_days", "cooling_days"), ("cooling_days", "asleep_days")):
        if getattr(row, shorter) >= getattr(row, longer):
            raise Refused(_("This must be longer than the stage before."), field=longer)
    row.version += 1
    # save(), since the row keeps a history; it is locked and was read under the lock.
    row.save()
    TraitBlock.objects.update(refreshed_at=None)
    audit.record(verb="update_portrait_thresholds", obj=row, **changes)
    return row


def stage_counts() -> dict[str, int]:
    """Return how many customers are in each stage; raises Refused beyond the time limit."""
    with time_limit(seconds=SECONDS):
        rows = CustomerTrait.objects.values_list("stage").annotate(Count("pk")).order_by()
        found = dict(rows)
    return {stage: found.get(stage, 0) for stage in Stage.values}
