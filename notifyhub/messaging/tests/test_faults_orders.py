"""What people decide while a real worker is in mid-batch: it holds from the next window on."""

from pathlib import Path

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.utils import timezone

from notifyhub.customers.services.holds import place_hold
from notifyhub.messaging.models import Batch, Delivery, Dispatch
from notifyhub.messaging.rendering.links import unsubscribe_url
from notifyhub.messaging.tests.kit.limits import limit, night
from notifyhub.messaging.tests.kit.people import planned_crowd, sink_account
from notifyhub.messaging.tests.kit.processes import (
    celery,
    lines_of,
    running,
    sink,
    tick,
    tick_until,
    wait_for,
)
from notifyhub.messaging.tests.kit.proof import ENDED, assert_honest, handed_over
from notifyhub.messaging.tests.kit.sending import reasons, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ROWS = 900
SOME = 15


def still_closed(dispatch: Dispatch) -> list[Delivery]:
    """Return the last messages of the batch that is being sent; no window has come to them yet."""
    batch = Batch.objects.filter(dispatch=dispatch, state=Batch.State.LEASED).get()
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk, id__gt=batch.hi - 2 * SOME, id__lte=batch.hi)
    return list(rows)


def quiet() -> bool:
    return not Batch.objects.filter(state=Batch.State.LEASED).exists()


def test_unsubscribing_holds_and_nightfall_in_mid_batch(tmp_path: Path) -> None:
    with sink(tmp_path, delay=0.01) as (port, log):
        sink_account(port)
        dispatch = planned_crowd(ROWS)
        with running(*celery(), output=tmp_path / "worker.log", NOTIFYHUB_LEASE_SECONDS="10"):
            tick_until(lambda: len(lines_of(log)) >= 60)
            rows = still_closed(dispatch)
            for row in rows[:SOME]:
                link = unsubscribe_url(dispatch_id=dispatch.pk, delivery_id=row.id)
                answer = Client().post(link[link.index("/u/") :], {"List-Unsubscribe": "One-Click"})
                assert answer.status_code == 200
            for row in rows[SOME:]:
                place_hold(customer_id=row.customer_id, scope="promotions", reason="Complaint")
            opened = Batch.objects.get(dispatch=dispatch, state=Batch.State.LEASED).open_to
            assert opened < rows[0].id, "too slow to be in the middle"
            wait_for(lambda: Delivery.objects.get(dispatch_id=dispatch.pk, id=rows[-1].id).state > 0)

            tick_until(lambda: not quiet())
            limit(**night())
            wait_for(quiet)
            by_night = len(lines_of(log))
            assert by_night < ROWS - 2 * SOME
            for _ in range(5):
                tick()
            assert quiet()
            assert len(lines_of(log)) == by_night
            assert states(dispatch)["planned"] == ROWS - 2 * SOME - by_night
            assert set(waiting(dispatch).values_list("waits_for", flat=True)) == {"quiet"}

            limit(quiet_from=None, quiet_until=None)
            waiting(dispatch).update(not_before=timezone.now())
            tick_until(lambda: Dispatch.objects.get(pk=dispatch.pk).state in ENDED)
        found = assert_honest(dispatch, log, rows=ROWS)
        assert found == {"sent": ROWS - 2 * SOME, "skipped": 2 * SOME}
        assert reasons(dispatch) == {"opted_out": SOME, "hold": SOME}
        names = {f"{dispatch.key.hex}.{row.id}@localhost" for row in rows}
        assert not names & set(handed_over(log))


def waiting(dispatch: Dispatch) -> QuerySet[Batch]:
    """Return the batches whose time has not come."""
    return Batch.objects.filter(dispatch=dispatch, state=Batch.State.READY)
