"""Readers of the events miss none and see none twice, whoever commits when."""

import time
from datetime import timedelta
from threading import Event as Flag
from threading import Thread

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifyhub.customers.models import Event, EventBookmark
from notifyhub.customers.services.events import EventIn, record_events
from notifyhub.customers.services.events.following import MARGIN, Span, follow_events, horizon
from notifyhub.customers.signals import events_recorded
from notifyhub.customers.tests.factories import make_customer

pytestmark = pytest.mark.django_db(transaction=True)


def tell(*numbers: int) -> None:
    record_events(
        [
            EventIn(message_id=f"m{n}", name="cart_updated", occurred_at=timezone.now(), external_id=f"E{n}")
            for n in numbers
        ]
    )


def follow(seen: list[str], rows: int = 100) -> bool:
    def read(span: Span) -> None:
        rows = Event.objects.filter(received_at__gt=span.after, received_at__lte=span.upto)
        seen.extend(rows.order_by("id").values_list("message_id", flat=True))

    return follow_events("test", read, start=timezone.now() - timedelta(hours=1), rows=rows)


def test_it_reads_in_portions_and_nothing_twice() -> None:
    tell(*range(5))
    time.sleep(MARGIN.total_seconds() + 0.1)
    seen: list[str] = []
    assert follow(seen, rows=2)
    assert seen == ["m0", "m1"]
    while follow(seen, rows=2):
        pass
    assert seen == [f"m{n}" for n in range(5)]
    follow(seen)
    assert len(seen) == 5


def test_a_reader_that_fails_reads_the_same_again() -> None:
    tell(1)
    time.sleep(MARGIN.total_seconds() + 0.1)
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError):
        follow_events("test", lambda span: 1 / 0, start=timezone.now() - timedelta(hours=1))
    assert not EventBookmark.objects.exists()
    follow(seen)
    assert seen == ["m1"]


def test_it_waits_for_a_writer_that_has_not_committed_yet() -> None:
    for number in (1, 2):
        make_customer(external_id=f"E{number}")
    wrote, go_on = Flag(), Flag()

    def write_slowly() -> None:
        try:
            with transaction.atomic():
                tell(1)
                wrote.set()
                go_on.wait(10)
        finally:
            connection.close()

    writer = Thread(target=write_slowly)
    writer.start()
    assert wrote.wait(10)
    tell(2)
    time.sleep(MARGIN.total_seconds() + 0.1)
    seen: list[str] = []
    follow(seen)
    assert seen == []
    go_on.set()
    writer.join(10)
    follow(seen)
    assert seen == ["m1", "m2"]


def test_the_databases_own_sweeper_holds_no_reader_back() -> None:
    """Autovacuum brings no events, and may have been at a large table for hours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE pg_stat_activity AS SELECT * FROM (VALUES "
            "(current_database(), 1, '7'::xid, now() - interval '1 hour', 'autovacuum worker'), "
            "(current_database(), 2, '8'::xid, now() - interval '20 seconds', 'client backend'), "
            "(current_database(), 3, NULL, now() - interval '1 day', 'client backend')) "
            "AS one (datname, pid, backend_xid, xact_start, backend_type)"
        )
        try:
            cursor.execute("SET search_path = pg_temp, pg_catalog, public")
            behind = timezone.now() - horizon()
        finally:
            cursor.execute("RESET search_path")
            cursor.execute("DROP TABLE pg_temp.pg_stat_activity")
    assert timedelta(seconds=19) < behind < timedelta(seconds=60)


def test_it_tells_at_once_what_came_in_and_only_once() -> None:
    told: list[dict[str, list[int]]] = []

    def hear(events: dict[str, list[int]], **kwargs: object) -> None:
        told.append(events)

    events_recorded.connect(hear)
    try:
        tell(1, 2)
        tell(2)
    finally:
        events_recorded.disconnect(hear)
    ids = list(Event.objects.order_by("id").values_list("id", flat=True))
    assert [sorted(one["cart_updated"]) for one in told] == [ids]
