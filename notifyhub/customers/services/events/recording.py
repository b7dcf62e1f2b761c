"""Taking events in, many at once, each message id once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from django.db import connection, transaction

from notifyhub.core.errors import Refused
from notifyhub.customers.services.contacts import read_contact
from notifyhub.customers.services.events.orders import foreign_orders, project_orders
from notifyhub.customers.services.events.shapes import EventIn, OrderNews, check_event, order_news
from notifyhub.customers.services.importing.problems import reason_of
from notifyhub.customers.services.upsert import CustomerRow, match_customers, upsert_customers
from notifyhub.customers.signals import events_recorded


@dataclass(frozen=True, kw_only=True)
class EventProblem:
    """Why the event at `index` was not taken."""

    index: int
    field: str
    message: str


@dataclass(kw_only=True)
class EventsResult:
    """How many events were taken, how many were known already, and which were refused."""

    accepted: int = 0
    repeated: int = 0
    customers_created: int = 0
    problems: list[EventProblem] = field(default_factory=list)


@dataclass(slots=True)
class _Checked:
    index: int
    event: EventIn
    properties: str
    person: CustomerRow
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


def record_events(events: Sequence[EventIn]) -> EventsResult:
    """Keep each event once, create provisional customers for the unknown, move the orders told of.

    One bad event does not hold up the others. All that is taken is taken in one transaction; the number of
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
        else:
            checked[event.message_id] = item
    if checked:
        with transaction.atomic():
            _keep(list(checked.values()), result)
    return result


def _check(index: int, event: EventIn) -> _Checked:
    properties = check_event(event)
    person = CustomerRow(line=index, external_id=event.external_id or None, provisional=True)
    if len(event.external_id) > 64 or not event.external_id.isprintable():
        raise Refused(reason_of("length", {"limit": 64}), field="external_id")
    for kind, raw in (("phone", event.phone), ("email", event.email)):
        if raw:
            person.contacts[kind] = read_contact(kind=kind, raw=raw)
    return _Checked(index, event, properties, person, order_news(event))


def _refuse(result: EventsResult, index: int, name: str, message: str) -> None:
    result.problems.append(EventProblem(index=index, field=name, message=message))


def _keep(items: list[_Checked], result: EventsResult) -> None:
    items = _find_customers(items, result)
    foreign = foreign_orders({i.news.number: i.customer_id for i in items if i.news})
    taken = []
    for item in items:
        if item.news and item.news.number in foreign and foreign[item.news.number] != item.customer_id:
            _refuse(result, item.index, "order_number", reason_of("other_order", {}))
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
        fresh = dict(cursor.fetchall())
    result.accepted += len(fresh)
    result.repeated += len(taken) - len(fresh)
    project_orders([(i.customer_id, i.news) for i in taken if i.news and i.event.message_id in fresh])
    news: dict[str, list[int]] = {}
    for item in taken:
        if item.event.message_id in fresh:
            news.setdefault(item.event.name, []).append(fresh[item.event.message_id])
    if news:
        transaction.on_commit(partial(events_recorded.send_robust, sender=None, events=news))


def _find_customers(items: list[_Checked], result: EventsResult) -> list[_Checked]:
    """Give each item its customer; return those that have one."""
    found: dict[int, int] = {}
    outcome = match_customers(rows=[item.person for item in items])
    found.update({kept.line: kept.customer_id for kept in outcome.kept})
    refused = {problem.line: problem for problem in outcome.problems}
    unknown = [i.person for i in items if i.index not in found and i.index not in refused]
    if unknown:
        outcome = upsert_customers(rows=unknown)
        result.customers_created += outcome.created
        found.update({kept.line: kept.customer_id for kept in outcome.kept})
        refused.update({problem.line: problem for problem in outcome.problems})
    for problem in refused.values():
        _refuse(result, problem.line, problem.column, reason_of(problem.code, problem.params))
    kept_items = [item for item in items if item.index in found]
    for item in kept_items:
        item.customer_id = found[item.index]
    return kept_items
