"""Old partitions are dropped as a whole, and only when nothing needs them."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from notifyhub.core.partitions import (
    create_month_partition,
    partitions_of,
    stray_rows,
)
from notifyhub.messaging import doctor
from notifyhub.messaging.migrations._sql import LEAF_OPTIONS, RANGE
from notifyhub.messaging.models import Batch, Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.retention import drop_old_partitions
from notifyhub.messaging.tests.factories import make_delivery, make_dispatch, make_event
from notifyhub.messaging.ticks import make_partitions

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = timezone.now() - timedelta(days=500)


def names(table: str) -> set[str]:
    """Return the names of the table's partitions."""
    return {one.name for one in partitions_of(table)}


@pytest.fixture(autouse=True)
def _tidy(settings: Any) -> Any:
    settings.KEEP_DAYS = {"events": 400, "copies": 0, "counts": 0, "ledger": 400}
    yield
    with connection.cursor() as cursor:
        for table in ("messaging_deliveryevent", "messaging_sendday"):
            cursor.execute(f"DROP TABLE IF EXISTS {table}_{LONG_AGO:%Y%m}")
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS messaging_delivery_0 PARTITION OF messaging_delivery "
            f"FOR VALUES FROM (0) TO ({RANGE}) {LEAF_OPTIONS}"
        )


def test_old_months_go_young_ones_stay_and_nothing_goes_that_is_kept_for_ever() -> None:
    old = create_month_partition("messaging_deliveryevent", LONG_AGO)
    kept = create_month_partition("messaging_sendday", LONG_AGO)
    dispatch = make_dispatch(state="finished")
    make_event(make_delivery(dispatch, 1), at=LONG_AGO)
    make_event(make_delivery(dispatch, 1), at=timezone.now() - timedelta(days=30))
    before = names("messaging_deliveryevent")
    assert drop_old_partitions() == 1
    assert names("messaging_deliveryevent") == before - {old}
    assert kept in names("messaging_sendday")
    assert DeliveryEvent.objects.count() == 1
    assert drop_old_partitions() == 0


def test_a_range_of_the_ledger_goes_when_all_of_it_ended_long_ago() -> None:
    old = make_dispatch(state="finished", finished_at=LONG_AGO)
    make_delivery(old, 1)
    Batch.objects.create(
        dispatch=old,
        channel="email",
        priority=1,
        lo=1,
        hi=2,
        not_before=LONG_AGO,
        state=2,
        cursor=2,
        open_to=2,
    )
    assert drop_old_partitions() == 0, "no later range is in use yet"
    later = make_dispatch(pk=RANGE + old.pk)
    Dispatch.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=300))
    assert drop_old_partitions() == 0, "it ended too lately"
    Dispatch.objects.filter(pk=old.pk).update(finished_at=LONG_AGO)
    make_delivery(later, 1)
    assert drop_old_partitions() == 1
    assert "messaging_delivery_0" not in names("messaging_delivery")
    assert list(Delivery.objects.values_list("dispatch_id", flat=True)) == [later.pk]
    assert not Batch.objects.exists()


def test_an_open_dispatch_keeps_its_range(settings: Any) -> None:
    make_dispatch(state="paused")
    make_dispatch(pk=2 * RANGE - 1)
    settings.KEEP_DAYS = {**settings.KEEP_DAYS, "events": 0}
    assert drop_old_partitions(now=timezone.now() + timedelta(days=3000)) == 0


def test_partitions_are_made_ahead_for_every_table_by_month() -> None:
    make_partitions()
    ahead = f"{timezone.now() + timedelta(days=62):%Y%m}"
    for table in ("messaging_deliveryevent", "messaging_messagecopy", "messaging_sendday"):
        assert any(one.endswith(ahead) for one in names(table))


def test_the_doctor_sees_rows_that_found_no_partition() -> None:
    assert doctor.check_partitions().level == "ok"
    make_delivery(make_dispatch(pk=9_000_000_000), 1)
    finding = doctor.check_partitions()
    assert (finding.level, finding.data["stray"]) == ("warning", {"messaging_delivery": 1})
    assert stray_rows("messaging_delivery") == 1
