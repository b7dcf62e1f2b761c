"""What a platform tells in one breath: events, who people are, and which ids are one person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.db import connection, transaction
from django.utils.translation import gettext as _

from notifyhub.customers.models import Customer, EventKey
from notifyhub.customers.services.events.again import in_one
from notifyhub.customers.services.events.parking import put_aside, record_events, refused_asides
from notifyhub.customers.services.events.people import bind_aliases
from notifyhub.customers.services.events.recording import EventProblem, EventsResult
from notifyhub.customers.services.events.shapes import EventIn
from notifyhub.customers.services.events.waiting import any_waiting, take_waiting
from notifyhub.customers.services.upsert import CustomerRow, match_customers, upsert_customers

IDENTIFIED = "identified"

_LATER = """
SELECT k.line FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS k (line, customer_id, at)
WHERE EXISTS (SELECT 1 FROM customers_event e WHERE e.customer_id = k.customer_id
    AND e.occurred_at > k.at AND e.name = %s)
"""


@dataclass(frozen=True, kw_only=True)
class Told:
    """An event, what it says about its customer, and the other ids that mean them from now on.

    The line of `row` is the place of the event among those told together; `former` are ids that must not be
    the number of another customer.
    """

    event: EventIn
    row: CustomerRow | None = None
    binds: tuple[str, ...] = ()
    former: tuple[str, ...] = ()


def take_told(told: Sequence[Told]) -> EventsResult:
    """Change the customers told of, bind their ids, then record the events; return what became of those.

    A message id that is known changes nobody again, and what was said of a customer before their latest
    word does not replace it. The number of queries does not depend on how many are told.
    """
    return in_one(partial(_take, told))


def _take(told: Sequence[Told]) -> EventsResult:
    speaking = _fresh({place: one for place, one in enumerate(told) if one.row is not None})
    problems = _of_others(speaking)
    _change({place: one for place, one in speaking.items() if place not in problems})
    places = [place for place in range(len(told)) if place not in problems]
    result = record_events([told[place].event for place in places])
    put_aside(refused_asides([one.event for one in told], list(problems.values())))
    return replace(
        result,
        problems=[
            *problems.values(),
            *(replace(problem, index=places[problem.index]) for problem in result.problems),
        ],
        settled=[places[index] for index in result.settled],
        unknown=[places[index] for index in result.unknown],
    )


def _fresh(speaking: dict[int, Told]) -> dict[int, Told]:
    """Return those whose message is new, in the order they were said."""
    ids = [one.event.message_id for one in speaking.values()]
    known = set(EventKey.objects.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    fresh = [(place, one) for place, one in speaking.items() if one.event.message_id not in known]
    return dict(sorted(fresh, key=lambda pair: pair[1].event.occurred_at))


def _of_others(speaking: dict[int, Told]) -> dict[int, EventProblem]:
    """Return the refusals of those whose former id is the number of another customer."""
    former = {value: place for place, one in speaking.items() for value in one.former}
    if not former:
        return {}
    taken = Customer.objects.filter(external_id__in=list(former)).values_list("external_id", flat=True)
    return {
        former[value]: EventProblem(
            index=former[value],
            field="previousId",
            message=_("This is the number of another customer. Merge the two on the page of duplicates."),
        )
        for value in taken
        if value and speaking[former[value]].event.external_id != value
    }


def _change(speaking: dict[int, Told]) -> None:
    rows = [one.row for one in speaking.values() if one.row is not None]
    if not rows:
        return
    known = {kept.line: kept.customer_id for kept in match_customers(rows=rows).kept}
    stale = _stale({line: (customer, speaking[line].event) for line, customer in known.items()})
    # Of what is out of date only the number stands, by which the customer is found.
    rows = [CustomerRow(line=r.line, external_id=r.external_id) if r.line in stale else r for r in rows]
    rows = [row for row in rows if row.external_id or row.contacts]
    kept = {one.line: one.customer_id for one in upsert_customers(rows=rows).kept}
    pairs = [
        (value, customer_id)
        for line, one in speaking.items()
        if (customer_id := kept.get(line) or known.get(line)) is not None
        for value in one.binds
    ]
    bound = bind_aliases(pairs=pairs, source=next(iter(speaking.values())).event.source)
    if bound:
        transaction.on_commit(partial(_take_theirs, bound))


def _stale(said: dict[int, tuple[int, EventIn]]) -> set[int]:
    if not said:
        return set()
    columns = (
        list(said),
        [customer_id for customer_id, _event in said.values()],
        [event.occurred_at for _customer_id, event in said.values()],
    )
    with connection.cursor() as cursor:
        cursor.execute(_LATER, [*columns, IDENTIFIED])
        return {line for (line,) in cursor.fetchall()}


def _take_theirs(hashes: list[bytes]) -> None:
    """Take the events that waited under an id which is somebody's now."""
    if any_waiting():
        take_waiting(hashes=hashes)
