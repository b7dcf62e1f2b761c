"""What is to be done with a file: how to read it, what its columns mean, who agreed to what."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import Segment, Topic
from notifyhub.customers.models.consent import Channel, Decision
from notifyhub.customers.services.importing.tables import Table, open_table


@dataclass(frozen=True)
class ConsentPlan:
    """The consent everybody in a file gave: (topic code, channel) pairs, and where that is proven."""

    grants: tuple[tuple[str, str], ...]
    source: str
    given_at: str
    proof: str
    wording: str = ""
    policy_version: str = ""
    decision: str = Decision.OPT_IN

    @property
    def moment(self) -> datetime:
        """Return when consent was given."""
        moment = parse_datetime(self.given_at)
        assert moment is not None
        return moment


@dataclass(frozen=True)
class ImportPlan:
    """Everything that decides what a run does with its file."""

    mapping: tuple[str, ...]
    encoding: str = ""
    delimiter: str = ""
    consent: ConsentPlan | None = None
    list_id: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ImportPlan":
        """Return the plan that `as_json` wrote."""
        consent = data.get("consent")
        if consent:
            consent = ConsentPlan(**{**consent, "grants": tuple(tuple(pair) for pair in consent["grants"])})
        return cls(
            mapping=tuple(data.get("mapping", ())),
            encoding=data.get("encoding", ""),
            delimiter=data.get("delimiter", ""),
            consent=consent or None,
            list_id=data.get("list_id"),
        )

    def open(self, path: Path) -> Table:
        """Return a file as this plan reads it; raise Refused if it is no table."""
        return open_table(path, encoding=self.encoding, delimiter=self.delimiter)

    def fingerprint(self) -> str:
        """Return a digest: two plans with one digest do the same to a file."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()


def plan_consent(
    *,
    grants: Sequence[tuple[str, str]],
    source: str,
    given_on: str,
    proof: str,
    wording: str = "",
    policy_version: str = "",
    decision: str = Decision.OPT_IN,
) -> ConsentPlan:
    """Return the consent of a file; raise Refused if it would not stand as evidence.

    A date without a time counts from its first minute, so that an opt-out of the same day goes before it.
    """
    if not grants:
        raise Refused(_("Choose at least one topic and channel."), field="grants")
    topics = set(Topic.objects.filter(active=True).values_list("code", flat=True))
    for topic, channel in grants:
        if topic not in topics:
            raise Refused(_("There is no active topic “%s”.") % topic, field="grants")
        if channel not in Channel.values:
            raise Refused(
                _("Unknown channel “%(channel)s”. Use one of: %(known)s.")
                % {"channel": channel, "known": ", ".join(Channel.values)},
                field="grants",
            )
    if decision not in Decision.values:
        raise Refused(_("A decision is “in” or “out”."), field="decision")
    for field, value, limit in (("source", source, 40), ("proof", proof, 200)):
        if not value.strip():
            raise Refused(_("Say where the consent comes from and what proves it."), field=field)
        if len(value) > limit:
            raise Refused(_("Use at most %d characters.") % limit, field=field)
    if len(policy_version) > 40:
        raise Refused(_("Use at most %d characters.") % 40, field="policy_version")
    return ConsentPlan(
        grants=tuple(sorted(set(grants))),
        source=source.strip(),
        given_at=_moment(given_on).isoformat(),
        proof=proof.strip(),
        wording=wording.strip(),
        policy_version=policy_version.strip(),
        decision=str(decision),
    )


def find_list(*, name: str) -> int:
    """Return the static list of this name or number; raise Refused if there is none."""
    lists = Segment.objects.filter(kind=Segment.Kind.STATIC, archived_at=None)
    wanted = lists.filter(name=name).first() or (lists.filter(pk=name).first() if name.isdecimal() else None)
    if wanted is None:
        raise Refused(_("There is no static list “%s”.") % name, field="list")
    return wanted.pk


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text.strip())
        day = None if moment else parse_date(text.strip())
    except ValueError:
        moment = day = None
    if day is not None:
        moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - made aware below
    if moment is None:
        raise Refused(_("Write the date of consent like 2026-11-20."), field="given_on")
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment)
    if moment > timezone.now():
        raise Refused(_("Consent cannot be given in the future."), field="given_on")
    return moment
