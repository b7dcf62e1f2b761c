"""A thousand recipients, of whom one cannot be written to and one kills whoever tries."""

from pathlib import Path

import pytest

from notifyhub.customers.tests.factories import make_topic
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Batch, Delivery, DeliveryEvent, Dispatch
from notifyhub.messaging.services.dispatches import Item
from notifyhub.messaging.tests.factories import make_version
from notifyhub.messaging.tests.kit.people import make_people, sink_account
from notifyhub.messaging.tests.kit.processes import celery, running, sink, tick_until
from notifyhub.messaging.tests.kit.proof import ENDED, assert_honest
from notifyhub.messaging.tests.kit.sending import dispatch_to, reasons
from notifyhub.staff.models import StaffNotice
from notifyhub.staff.tests.factories import make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ROWS, BROKEN, KILLER = 1000, 300, 712


def dispatch_with_poison() -> Dispatch:
    version = make_version(("email", "zh-hans"), message_class="transactional")
    content = version.contents.get()
    content.body = "{% for i in (1..n) %}x{% endfor %}Hello"
    content.compiled = ""
    content.save()
    people = make_people(ROWS, make_topic())
    dispatch = dispatch_to(
        message_class="transactional",
        origin_kind="killer",
        template_version=version,
        text=None,
        audience={"kind": "items"},
        items=[
            Item(item=n, customer_id=one.pk, variables={"n": 100_000 if n == BROKEN else 1})
            for n, one in enumerate(people)
        ],
    )
    plan_dispatch(dispatch_id=dispatch.pk)
    return dispatch


def test_one_text_that_fails_and_one_that_kills_cost_two_messages(tmp_path: Path) -> None:
    boss = make_user()
    with sink(tmp_path) as (port, log):
        sink_account(port)
        dispatch = dispatch_with_poison()
        command = celery(app="notifyhub.messaging.tests.kit.worker")
        with running(*command, output=tmp_path / "worker.log", KILLER_ITEM=str(KILLER)):
            tick_until(lambda: Dispatch.objects.get(pk=dispatch.pk).state in ENDED)
        found = assert_honest(dispatch, log, rows=ROWS)
    assert found == {"sent": ROWS - 2, "failed": 2}
    assert reasons(dispatch) == {"render_error": 1, "poison": 1}
    killer = Delivery.objects.get(dispatch_id=dispatch.pk, dedup_key=KILLER)
    assert killer.reason == "poison"
    alarm = StaffNotice.objects.get(recipient=boss, level="alarm")
    assert f"{dispatch.pk}-{killer.pk}" in alarm.title
    # Three leases died on it before it was looked for row by row, and one more found it.
    epochs = Batch.objects.filter(dispatch=dispatch).values_list("epoch", flat=True)
    assert max(epochs) <= 12
    assert DeliveryEvent.objects.filter(dispatch_id=dispatch.pk, kind="unknown").count() == 0
