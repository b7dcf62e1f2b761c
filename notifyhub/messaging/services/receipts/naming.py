"""Which message a provider means by the names it uses, and how far its other words are believed."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from notifyhub.messaging.models import Delivery, DeliveryEvent, Dispatch

# A receipt may outrun our own commit by a moment, and a restored database by days.
PARKED_FOR = timedelta(days=7)
# Providers' clocks differ, and what is older than this has left the ledger's hot months.
AHEAD, BEHIND = timedelta(minutes=5), timedelta(days=40)

_PLAIN = re.compile(r"(\d{1,18})-(\d{1,18})")
_KEY = re.compile(r"([0-9a-f]{32})\.(\d{1,18})")

Key = tuple[int, int]


class Named(Protocol):
    """A row that names a message as its provider does."""

    pk: int
    account_id: int
    reference: str
    provider_ref: str


def find_messages(rows: Sequence[Named]) -> dict[int, Key]:
    """Return {receipt: (dispatch, message)} of those whose message there is.

    A key cannot be guessed, so who knows it may speak; by the plain number of a message or by its own name
    for it, a provider may only speak about what went through it.
    """
    found = _by_key(rows)
    plain = _by_number([row for row in rows if row.pk not in found])
    found |= plain | _by_provider_ref([row for row in rows if row.pk not in found and row.pk not in plain])
    there = _existing(found.values())
    return {pk: key for pk, key in found.items() if key in there}


def _by_key(rows: Iterable[Named]) -> dict[int, Key]:
    keyed = {
        row.pk: (UUID(match[1]), int(match[2]))
        for row in rows
        if (match := _KEY.fullmatch(row.reference)) is not None
    }
    dispatches = dict(
        Dispatch.objects.filter(key__in={key for key, _number in keyed.values()}).values_list("key", "pk")
    )
    return {pk: (dispatches[key], number) for pk, (key, number) in keyed.items() if key in dispatches}


def _by_number(rows: Iterable[Named]) -> dict[int, Key]:
    named = {
        row: (int(match[1]), int(match[2]))
        for row in rows
        if (match := _PLAIN.fullmatch(row.reference)) is not None
    }
    if not named:
        return {}
    through = set(
        DeliveryEvent.objects.filter(
            dispatch_id__in={key[0] for key in named.values()},
            delivery_id__in={key[1] for key in named.values()},
            account_id__in={row.account_id for row in named},
        ).values_list("account_id", "dispatch_id", "delivery_id")
    )
    return {row.pk: key for row, key in named.items() if (row.account_id, *key) in through}


def _by_provider_ref(rows: Sequence[Named]) -> dict[int, Key]:
    rows = [row for row in rows if row.provider_ref]
    if not rows:
        return {}
    events = DeliveryEvent.objects.filter(
        provider_ref__in={row.provider_ref for row in rows},
        account_id__in={row.account_id for row in rows},
        at__gte=timezone.now() - BEHIND - PARKED_FOR,
    ).values_list("account_id", "provider_ref", "dispatch_id", "delivery_id")
    named = {(account, ref): (dispatch, number) for account, ref, dispatch, number in events}
    return {
        row.pk: named[row.account_id, row.provider_ref]
        for row in rows
        if (row.account_id, row.provider_ref) in named
    }


def _existing(keys: Iterable[Key]) -> set[Key]:
    wanted = Q(pk__in=())
    for dispatch_id, number in set(keys):
        wanted |= Q(dispatch_id=dispatch_id, pk=number)
    return set(Delivery.objects.filter(wanted).values_list("dispatch_id", "pk"))


def plausible(at: datetime | None, now: datetime) -> datetime:
    """Return the time that a provider told, or `now` if it told none that can be."""
    return at if at is not None and now - BEHIND < at < now + AHEAD else now


def flat(text: str, length: int) -> str:
    """Return text that the database takes: no NUL, no half of a surrogate pair, not longer than `length`."""
    return text.replace("\x00", "").encode(errors="replace").decode()[:length]
