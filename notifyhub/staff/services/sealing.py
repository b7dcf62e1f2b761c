"""Sealing committed audit entries into a hash chain, and finding its first broken link.

Each link's digest is SHA-256 over the digest before it and the entry as canonical JSON. Entries commit in
another order than their ids were drawn, so a link has its own place; a straggler is sealed when it shows.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Min

from notifyhub.staff.models import AuditEntry, AuditLink

BATCH = 1000
BATCHES = 20
# The frequent pass looks behind the newest links only; the hourly one looks everywhere.
NEAR = 20_000
GENESIS = b"\x00" * 32


def canonical(entry: AuditEntry) -> bytes:
    """Return the entry as bytes that are the same wherever and whenever they are made."""
    facts = {
        "id": entry.pk,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor_kind": entry.actor_kind,
        "actor_id": entry.actor_id,
        "actor": entry.actor,
        "verb": entry.verb,
        "object_type": entry.object_type,
        "object_id": entry.object_id,
        "object_label": entry.object_label,
        "reason": entry.reason,
        "detail": entry.detail,
        "ip": entry.ip,
    }
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(entry: AuditEntry, *, previous: bytes) -> bytes:
    """Return the digest of the entry's link, given the digest of the link before it."""
    return hashlib.sha256(previous + canonical(entry)).digest()


def seal_entries(*, everywhere: bool = False) -> int:
    """Seal committed entries that have no link yet; return how many. Bounded; the next run goes on."""
    sealed = 0
    for _batch in range(BATCHES):
        count = _seal_batch(everywhere)
        sealed += count
        if count < BATCH:
            break
    return sealed


def seal_stragglers() -> int:
    """Seal entries of transactions that took so long that the frequent pass no longer sees them."""
    return seal_entries(everywhere=True)


def _seal_batch(everywhere: bool) -> int:
    last = AuditLink.objects.order_by("-place").first()
    place, digest = (last.place, bytes(last.digest)) if last else (0, GENESIS)
    rows = AuditEntry.objects.filter(link=None)
    if last and not everywhere:
        near = AuditLink.objects.filter(place__gt=place - NEAR)
        rows = rows.filter(pk__gt=near.aggregate(low=Min("entry_id"))["low"] or 0)
    links = []
    for entry in rows.order_by("pk")[:BATCH]:
        place, digest = place + 1, digest_of(entry, previous=digest)
        links.append(AuditLink(place=place, entry=entry, digest=digest))
    try:
        with transaction.atomic():
            AuditLink.objects.bulk_create(links)
    except IntegrityError:
        # Another process took these places first: its chain stands, ours is thrown away.
        return 0
    return len(links)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How far the chain holds; `problem` is empty, or one of gap, missing and altered at `place`."""

    checked: int
    place: int
    digest: bytes
    problem: str = ""
    entry_id: int | None = None


def verify_chain(*, anchors: dict[int, bytes] | None = None) -> Verdict:
    """Walk the chain from its start; return where it breaks first, or its head.

    `anchors` are digests noted elsewhere by place: only they can show that the end was cut off or that
    the whole chain was written anew.
    """
    expected = dict(anchors or {})
    place, digest = 0, GENESIS
    while True:
        links = list(AuditLink.objects.filter(place__gt=place).order_by("place")[:BATCH])
        entries = AuditEntry.objects.in_bulk([link.entry_id for link in links])
        for link in links:
            found: dict[str, Any] = {
                "checked": place,
                "place": place + 1,
                "digest": digest,
                "entry_id": link.entry_id,
            }
            if link.place != place + 1:
                return Verdict(**{**found, "entry_id": None}, problem="gap")
            entry = entries.get(link.entry_id)
            if entry is None:
                return Verdict(**found, problem="missing")
            digest = digest_of(entry, previous=digest)
            if digest != bytes(link.digest) or digest != expected.pop(link.place, digest):
                return Verdict(**found, problem="altered")
            place = link.place
        if len(links) < BATCH:
            break
    if expected:
        return Verdict(checked=place, place=min(expected), digest=digest, problem="gap")
    return Verdict(checked=place, place=place, digest=digest)
