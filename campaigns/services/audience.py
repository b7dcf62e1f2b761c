"""The audience of a campaign: its rule, its words, its count, a sample."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import randint
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Campaign
from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint, Customer, Segment
from notifyhub.customers.models.consent import CONTACT_KIND, Channel
from notifyhub.customers.services.audiences import compile_audience

Kind = Campaign.AudienceKind
COUNT_SECONDS = 4


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How many an audience holds, and how many of them each channel has a working contact point for."""

    total: int
    everyone: int
    by_channel: dict[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Return the share of all active customers, 0 to 1."""
        return self.total / self.everyone if self.everyone else 0.0


@dataclass(frozen=True, kw_only=True)
class SampleCustomer:
    """One matching customer as a person may see them: the contact points masked."""

    customer: Customer
    contacts: list[ContactPoint]


def build_rule(*, kind: str, values: Sequence[Any] = ()) -> dict[str, Any]:
    """Return the audience rule for one choice of the form; raise Refused (field "values") if it is empty."""
    if kind == Kind.ALL:
        return {"all": True}
    if kind not in Kind.values:
        raise Refused(_("Choose who gets it."), field="audience_kind")
    if not values:
        raise Refused(
            {
                Kind.CITY: _("Choose at least one city."),
                Kind.TAG: _("Choose at least one tag."),
                Kind.SEGMENT: _("Choose at least one segment."),
            }[Kind(kind)],
            field="values",
        )
    if kind == Kind.SEGMENT:
        ids = [int(value) for value in values if str(value).isdecimal()]
        known = set(Segment.objects.filter(pk__in=ids, archived_at=None).values_list("pk", flat=True))
        if len(ids) != len(values) or set(ids) - known:
            raise Refused(_("One of these segments is no longer there. Choose again."), field="values")
        return {"field": "segment", "operator": "in", "value": sorted(known)}
    texts = [str(value).strip() for value in values]
    if any(not text or len(text) > 60 or "\x00" in text for text in texts):
        raise Refused(_("Choose from the names shown."), field="values")
    operator = "in" if kind == Kind.CITY else "has_any"
    return {"field": str(kind), "operator": operator, "value": sorted(set(texts))}


def values_of(campaign: Campaign) -> list[Any]:
    """Return what was chosen: city names, tags or segment ids."""
    return list(campaign.audience.get("value") or [])


def describe_audiences(campaigns: Sequence[Campaign]) -> dict[int, str]:
    """Return each campaign's audience in plain words; one query at most, for the names of segments."""
    ids = {
        pk for campaign in campaigns if campaign.audience_kind == Kind.SEGMENT for pk in values_of(campaign)
    }
    names = dict(Segment.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}
    return {campaign.pk: _words(campaign, names) for campaign in campaigns}


def describe_audience(campaign: Campaign) -> str:
    """Return one campaign's audience in plain words."""
    return describe_audiences([campaign])[campaign.pk]


def _words(campaign: Campaign, names: dict[int, str]) -> str:
    values = values_of(campaign)
    if campaign.audience_kind == Kind.ALL:
        return _("All customers")
    if campaign.audience_kind == Kind.CITY:
        return _("Customers in %s") % _any_of(values)
    if campaign.audience_kind == Kind.TAG:
        return _("Customers tagged %s") % _any_of(values)
    if campaign.audience_kind == Kind.SEGMENT:
        return _("Customers in the segment %s") % _any_of([names.get(pk, _("(removed)")) for pk in values])
    return _("Nobody chosen yet")


def _any_of(values: list[str]) -> str:
    if len(values) > 4:
        more = len(values) - 3
        shown = ", ".join(values[:3])
        return ngettext("%(shown)s or %(more)d other", "%(shown)s or %(more)d others", more) % {
            "shown": shown,
            "more": more,
        }
    return get_text_list(values, _("or"))


@contextmanager
def _bounded() -> Iterator[Any]:
    """Yield a cursor in a read-only transaction that gives up after a few seconds, with a sentence."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [f"{COUNT_SECONDS}s"])
            yield cursor
            # Inside a longer transaction (a test, a service) the limit must not outlive the count.
            cursor.execute("SET LOCAL statement_timeout = DEFAULT")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "57014":
            raise
        raise Refused(
            _("Counting took longer than %d seconds. The exact number is taken at launch.") % COUNT_SECONDS,
            code="slow",
        ) from error


def count_audience(rule: dict[str, Any]) -> Reach:
    """Return how many match and by which channels they could be reached; Refused for a bad or slow rule."""
    where, params = compile_audience(rule)
    with _bounded() as cursor:
        cursor.execute("SELECT count(*) FROM customers_customer WHERE state = 'active'")
        everyone = cursor.fetchone()[0]
        cursor.execute(f"SELECT count(*) FROM customers_customer c WHERE {where}", params)
        total = cursor.fetchone()[0]
        cursor.execute(
            "SELECT k.kind, count(*) FROM customers_customer c JOIN customers_contactpoint k "
            f'ON k.customer_id = c.id AND k."primary" AND k.valid WHERE {where} GROUP BY k.kind',
            params,
        )
        kinds = dict(cursor.fetchall())
    by_channel = {
        str(channel): total if CONTACT_KIND[channel] is None else kinds.get(CONTACT_KIND[channel], 0)
        for channel in Channel
    }
    return Reach(total=total, everyone=everyone, by_channel=by_channel)


def sample_audience(rule: dict[str, Any], *, size: int = 10) -> list[SampleCustomer]:
    """Return up to `size` matching customers from a random place on; Refused if the rule is bad or slow."""
    where, params = compile_audience(rule)
    with _bounded() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM customers_customer")
        start = randint(0, cursor.fetchone()[0])
        ids: list[int] = []
        # From a random id to the end, then the beginning: an index walk, where ORDER BY random() sorts all.
        for side in (">=", "<"):
            if len(ids) < size:
                cursor.execute(
                    f"SELECT c.id FROM customers_customer c WHERE c.id {side} %s AND ({where}) "
                    "ORDER BY c.id LIMIT %s",
                    [start, *params, size - len(ids)],
                )
                ids += [row[0] for row in cursor.fetchall()]
    customers = Customer.objects.in_bulk(ids)
    contacts: dict[int, list[ContactPoint]] = {pk: [] for pk in ids}
    rows = ContactPoint.objects.filter(customer__in=ids, primary=True).defer("value").order_by("kind")
    for contact in rows:
        contacts[contact.customer_id].append(contact)
    return [SampleCustomer(customer=customers[pk], contacts=contacts[pk]) for pk in ids if pk in customers]
