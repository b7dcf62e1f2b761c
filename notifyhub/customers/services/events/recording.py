"""Taking events in, many at once, each message id once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db import connection, transaction

from notifyhub.core.errors import Refused
from notifyhub.customers.services.contacts import read_contact
from notifyhub.customers.services.events.orders import foreign_orders, project_orders
from notifyhub.customers.services.events.people import Person, find_people
from notifyhub.customers.services.events.shapes import EventIn, OrderNews, check_event, order_news
from notifyhub.customers.services.importing.problems import reason_of
from notifyhub.customers.services.upsert import CustomerRow
from notifyhub.customers.signals import events_recorded


@dataclass(frozen=True, kw_only=True)
class EventProblem:
    """Why the event at `index` was not taken."""

    index: int
    field: str
    message: str
    code: str = ""


@dataclass(kw_only=True)
class EventsResult:
    """How many events were taken, how many were known already, and which were refused.

    `settled` are the places of those taken or known, `unknown` of those whose customer nobody knows.
    """

    accepted: int = 0
    repeated: int = 0
    parked: int = 0
    customers_created: int = 0
    problems: list[EventProblem] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    unknown: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Checked:
    index: int
    event: EventIn
    properties: str
    person: Person
    news: OrderNews | None
    customer_id: int = 0


# The key decides: of two requests with one message id, the second waits and finds it taken. The time is the
# clock's and not the transaction's, so that whoever follows the events by it misses none (see following.py).
INSERT = """
WITH told AS (
    SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::timestamptz[], %s::text[], %s::text[],
        %s::text[]) AS u (message_id, customer_id, name, occurred_at, order_number, properties, source)
), fresh AS (
    INSERT INTO customers_eventkey (message_id, event_id, received_at)
    SELECT message_id, nextval('customers_event_id_seq'), clock_timestamp() FROM told ORDER BY message_id
    ON CONFLICT (message_id) DO NOTHING
    RETURNING message_id, event_id
)
INSERT INTO customers_event (
    id, received_at, occurred_at, customer_id, name, order_number, properties, source, message_id)
SELECT f.event_id, clock_timestamp(), t.occurred_at, t.customer_id, t.name, t.order_number,
    t.properties::jsonb, t.source, t.message_id
FROM told t JOIN fresh f ON f.message_id = t.message_id
RETURNING message_id, id
"""
# What was put aside and is now told right waits no longer.
_NO_LONGER_WAITING = """
UPDATE customers_parkedevent SET state = 'taken', ended_at = now()
WHERE state = 'waiting' AND message_id = ANY(%s)
"""


def take_events(events: Sequence[EventIn], *, create: bool | None = None) -> EventsResult:
    """Keep each event once and move the orders told of; leave those of unknown people to the caller.

    Unknown people become provisional customers if `create` says so (None: as the house's policy says). One
    bad event does not hold up the others. All that is taken is taken in one transaction; the number of
    queries does not depend on the number of events.
    """
    result = EventsResult()
    checked: dict[str, _Checked] = {}
    for index, event in enumerate(events):
        try:
            item = _check(index, event)
        except Refused as refusal:
            _refuse(result, index, refusal.field or "", str(refusal))
            continue
        if event.message_id in checked:
            result.repeated += 1
            result.settled.append(index)
        else:
            checked[event.message_id] = item
    if checked:
        with transaction.atomic():
            _keep(list(checked.values()), result, create)
    return result


def why_not(event: EventIn) -> EventProblem | None:
    """Return what is wrong with an event in itself, in the language that is active; None if nothing is."""
    try:
        _check(0, event)
    except Refused as refusal:
        return EventProblem(index=0, field=refusal.field or "", message=str(refusal))
    return None


def _check(index: int, event: EventIn) -> _Checked:
    properties = check_event(event)
    row = CustomerRow(line=index, external_id=event.external_id or None, provisional=True)
    for name, value in (("external_id", event.external_id), ("anonymous_id", event.anonymous_id)):
        if len(value) > (64 if name == "external_id" else 255) or not value.isprintable():
            raise Refused(reason_of("length", {"limit": 64}), field=name)
    if event.phone:
        row.contacts["phone"] = read_contact(kind="phone", raw=event.phone)
    if event.email:
        row.contacts["email"] = read_contact(kind="email", raw=event.email)
    return _Checked(index, event, properties, Person(row, event.anonymous_id), order_news(event))


def _refuse(result: EventsResult, index: int, name: str, message: str, code: str = "") -> None:
    result.problems.append(EventProblem(index=index, field=name, message=message, code=code))


def _keep(items: list[_Checked], result: EventsResult, create: bool | None) -> None:
    items = _find_customers(items, result, create)
    owners: dict[str, int] = {}
    for item in items:
        if item.news:
            owners.setdefault(item.news.number, item.customer_id)
    owners |= foreign_orders(owners)
    taken = []
    for item in items:
        if item.news and owners[item.news.number] != item.customer_id:
            _refuse(result, item.index, "order_number", reason_of("other_order", {}), "other_order")
        else:
            taken.append(item)
    if not taken:
        return
    columns = (
        [item.event.message_id for item in taken],
        [item.customer_id for item in taken],
        [item.event.name for item in taken],
        [item.event.occurred_at for item in taken],
        [item.event.order_number or (item.news.number if item.news else "") for item in taken],
        [item.properties for item in taken],
        [item.event.source[:40] for item in taken],
    )
    with connection.cursor() as cursor:
        cursor.execute(INSERT, columns)
        fresh: dict[str, int] = dict(cursor.fetchall())
        if fresh:
            cursor.execute(_NO_LONGER_WAITING, [list(fresh)])
    result.accepted += len(fresh)
    result.repeated += len(taken) - len(fresh)
    result.settled += [item.index for item in taken]
    project_orders([(i.customer_id, i.news) for i in taken if i.news and i.event.message_id in fresh])
    news: dict[str, list[int]] = {}
    for item in taken:
        if item.event.message_id in fresh:
            news.setdefault(item.event.name, []).append(fresh[item.event.message_id])
    if news:
        transaction.on_commit(partial(events_recorded.send_robust, sender=None, events=news))


def _find_customers(items: list[_Checked], result: EventsResult, create: bool | None) -> list[_Checked]:
    """Give each item its customer; return those that have one."""
    found = find_people([item.person for item in items if item.event.customer_id is None], create=create)
    result.customers_created += found.created
    for problem in found.problems.values():
        sentence = reason_of(problem.code, problem.params)
        _refuse(result, problem.line, problem.column, sentence, problem.code)
    result.unknown += [person.row.line for person in found.unknown]
    kept = []
    for item in items:
        customer_id = item.event.customer_id or found.customers.get(item.index)
        if customer_id is not None:
            item.customer_id = customer_id
            kept.append(item)
    return kept
