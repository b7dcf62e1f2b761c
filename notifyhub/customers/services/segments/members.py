"""Putting customers on a static list and taking them off, set-wise."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Customer, Segment, SegmentMember
from notifyhub.customers.services.audiences import compile_audience
from notifyhub.customers.services.limits import time_limit
from notifyhub.staff.services import audit

MAX_PASTED = 20_000
# A snapshot of a rule is one statement; this is its limit.
SNAPSHOT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Added:
    """What became of the numbers: `unknown` are those that no active customer has."""

    added: int = 0
    already: int = 0
    unknown: list[str] = field(default_factory=list)


def read_numbers(text: str) -> list[str]:
    """Return the customer numbers in a pasted text, each once; spaces, commas and new lines part them."""
    return list(dict.fromkeys(part for part in re.split(r"[\s,;，；、]+", text or "") if part))


def _static(segment_id: int) -> Segment:
    segment = Segment.objects.select_for_update().filter(pk=segment_id, archived_at=None).first()
    if segment is None or segment.kind != Segment.Kind.STATIC:
        raise Refused(_("Only a static list has members that are added and removed."))
    return segment


def _known(text: str) -> tuple[list[str], dict[str, int]]:
    numbers = read_numbers(text)
    if not numbers:
        raise Refused(_("Paste customer numbers, one a line."), field="numbers")
    if len(numbers) > MAX_PASTED:
        raise Refused(
            _("At most %(most)d numbers at a time; these are %(count)d. Import a file instead.")
            % {"most": MAX_PASTED, "count": len(numbers)},
            field="numbers",
        )
    rows = Customer.objects.filter(external_id__in=numbers, state=Customer.State.ACTIVE)
    return numbers, {str(number): pk for number, pk in rows.values_list("external_id", "pk")}


def _touch(segment: Segment, change: int) -> None:
    members = SegmentMember.objects.filter(segment=segment)
    # The count of a list is kept from its own changes as long as it was ever counted.
    if segment.count is None:
        Segment.objects.filter(pk=segment.pk).update(count=members.count(), version=F("version") + 1)
    else:
        Segment.objects.filter(pk=segment.pk).update(count=F("count") + change, version=F("version") + 1)


@transaction.atomic
def add_members(*, segment_id: int, text: str) -> Added:
    """Add the customers whose numbers are in `text`; return what became of each number."""
    segment = _static(segment_id)
    numbers, known = _known(text)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_segmentmember (segment_id, customer_id) SELECT %s, unnest(%s::bigint[])"
            " ON CONFLICT (segment_id, customer_id) DO NOTHING",
            [segment_id, list(known.values())],
        )
        added = cursor.rowcount
    _touch(segment, added)
    audit.record(verb="add_segment_members", obj=segment, added=added)
    return Added(
        added=added,
        already=len(known) - added,
        unknown=[number for number in numbers if number not in known],
    )


@transaction.atomic
def add_members_by_rule(*, segment_id: int, rule: dict[str, Any]) -> Added:
    """Add everybody who matches `rule` now; return how many were added. Later matches do not join."""
    segment = _static(segment_id)
    sql, params = compile_audience(rule)
    with time_limit(seconds=SNAPSHOT_SECONDS), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_segmentmember (segment_id, customer_id)"
            f" SELECT %s, c.id FROM customers_customer c WHERE {sql}"
            " ON CONFLICT (segment_id, customer_id) DO NOTHING",
            [segment_id, *params],
        )
        added = cursor.rowcount
    _touch(segment, added)
    audit.record(verb="add_segment_members", obj=segment, added=added, by_rule=True)
    return Added(added=added)


@transaction.atomic
def remove_members(*, segment_id: int, text: str) -> Added:
    """Take the customers whose numbers are in `text` off the list; `added` is how many left it."""
    segment = _static(segment_id)
    numbers, known = _known(text)
    removed, _rows = SegmentMember.objects.filter(segment=segment, customer_id__in=known.values()).delete()
    _touch(segment, -removed)
    audit.record(verb="remove_segment_members", obj=segment, removed=removed)
    return Added(
        added=removed,
        already=len(known) - removed,
        unknown=[number for number in numbers if number not in known],
    )
