"""How fast the pipeline is on this machine: planning, and mail to a local SMTP server.

    python bench/pipeline.py [--people 200000] [--mails 20000] [--rounds 3]

Works in a database of its own beside the one of DATABASE_URL, which it makes and drops. Every gate is on,
every message is rendered, written to the ledger with its event and its encrypted copy.
"""

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifyhub.settings")
os.environ.setdefault("NOTIFYHUB_ALLOW_RECIPIENTS", "*")

import django

# Django must know its settings before its models are imported.
django.setup()

from django.db import connection

from bench.sink import serve
from notifyhub.core import crypto
from notifyhub.customers.models import Topic
from notifyhub.messaging.engine.foreground import drain_everything
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.engine.transport import Transport
from notifyhub.messaging.engine.worker import Worker
from notifyhub.messaging.models import Delivery, Dispatch
from notifyhub.messaging.models.dispatch import Priority
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.dispatches import create_dispatch, forecast
from notifyhub.messaging.services.templates import create_template, publish, save_content

FILL = """
INSERT INTO customers_customer (public_id, external_id, name, locale, time_zone, city, attributes, tags,
    provisional, state, created_at, updated_at, version)
SELECT gen_random_uuid(), 'B' || n, '客户' || n, 'zh-hans', 'Asia/Shanghai',
       (ARRAY['上海', '杭州', '成都', '北京'])[n %% 4 + 1], '{"level": "gold"}', '{}', FALSE,
       'active', now(), now(), 1
FROM generate_series(1, %(people)s) n;
INSERT INTO customers_contactpoint (customer_id, kind, value, value_hash, last4, masked, "primary", valid,
    invalid_reason, key_id, created_at)
SELECT id, 'email', %(value)s, decode(md5(id::text), 'hex'), '', '***', TRUE, id %% 50 <> 0, '', 'k1', now()
FROM customers_customer WHERE id %% 20 <> 0;
INSERT INTO customers_consent (customer_id, topic_id, channel, decision, given_at)
SELECT id, %(topic)s, 'email', CASE WHEN id %% 10 = 0 THEN 'out' ELSE 'in' END, now() FROM customers_customer
WHERE id %% 6 <> 0;
INSERT INTO customers_hold (customer_id, scope, scope_value, reason, origin_kind, origin_id, placed_at)
SELECT id, 'promotions', '', 'Complaint', 'staff', '', now() FROM customers_customer WHERE id %% 100 = 7;
INSERT INTO customers_suppression (kind, value_hash, masked, scope, reason, note, created_at)
SELECT 'email', decode(md5(id::text), 'hex'), '***', 'all', 'hard_bounce', '', now()
FROM customers_customer WHERE id %% 100 = 3;
ANALYZE;
"""
BODY = """<h1>{{ customer.name }}，您好</h1><p>{{ customer.city }}满120减30，仅限今天。</p>
{% for n in (1..3) %}<p>第{{ n }}张券：满{{ n }}00减{{ n }}5，附近门店通用，周末同享。</p>{% endfor %}
<p><a href="https://shop.example/offers">去看看</a></p>"""


def make_world(people: int) -> dict[str, Any]:
    """Fill the database; return the topic and a published template."""
    topic = Topic.objects.create(
        code="deals", name="Deals", message_class="promotional", legal_basis="consent"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            FILL, {"people": people, "topic": topic.pk, "value": crypto.encrypt("li@mail.example")}
        )
    template = create_template(
        key="bench",
        name="Bench",
        message_class="promotional",
        topic=topic,
        channel="email",
        language="zh-hans",
    )
    save_content(
        template_id=template.pk,
        channel="email",
        language="zh-hans",
        version=1,
        subject="{{ customer.name }}，今天满120减30",
        body=BODY,
    )
    return {"topic": topic, "template_version": publish(template_id=template.pk)}


def accept(world: dict[str, Any], rule: dict[str, Any]) -> Dispatch:
    """Accept one promotional mail to the customers of `rule`."""
    return create_dispatch(
        title="Bench",
        origin_kind="bench",
        message_class="promotional",
        chain=[{"channel": "email"}],
        audience={"kind": "rule", "rule": rule},
        **world,
    )


def measure_planning(world: dict[str, Any], people: int) -> float:
    """Return the rows a second of planning everybody, all gates on."""
    dispatch = accept(world, {"all": True})
    start = time.perf_counter()
    plan_dispatch(dispatch_id=dispatch.pk)
    took = time.perf_counter() - start
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk).count()
    assert rows == people, rows
    Dispatch.objects.filter(pk=dispatch.pk).update(state=Dispatch.State.PAUSED)
    return rows / took


def measure_mail(world: dict[str, Any], first: int, mails: int, people: int) -> tuple[float, int]:
    """Return the messages a second from the first lease to the last settle, and how many were sent."""
    ids = list(range(first, min(first + int(mails * 1.45), people)))
    dispatch = accept(world, {"field": "customer", "operator": "in", "value": ids})
    plan_dispatch(dispatch_id=dispatch.pk)
    transport = Transport()
    worker = Worker(transport)
    start = time.perf_counter()
    worker.drain(priority=Priority.BULK, seconds=600)
    took = time.perf_counter() - start
    transport.close()
    drain_everything()
    dispatch.refresh_from_db()
    assert dispatch.state == Dispatch.State.FINISHED
    return dispatch.sent / took, dispatch.sent


def main() -> None:
    """Print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=200_000)
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ports: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(ports,), daemon=True)
    server.start()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = f"bench_{name}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        world = make_world(options.people)
        values = {
            "host": "127.0.0.1",
            "port": ports.get(timeout=10),
            "security": "none",
            "from_email": "news@shop.example",
        }
        create_account(
            channel="email", backend="smtp", name="Bench", values=values, rate_per_second=1_000_000
        )
        plans = [measure_planning(world, options.people) for _ in range(options.rounds)]
        print(f"plan, all gates on       {statistics.median(plans):>9,.0f} rows/s")
        start = time.perf_counter()
        found = forecast(
            message_class="promotional",
            chain=[{"channel": "email"}],
            audience={"kind": "rule", "rule": {"all": True}},
            **world,
        )
        print(f"forecast of {found.total:>9,}     {time.perf_counter() - start:>9.2f} s")
        speeds = [
            measure_mail(world, 1 + round_ * 100, options.mails, options.people)
            for round_ in range(options.rounds)
        ]
        speed = statistics.median(one for one, _ in speeds)
        print(f"mail over SMTP, 1 worker {speed:>9,.0f} messages/s ({speeds[0][1]:,} each)")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"memory of this process   {memory:>9,.0f} MiB at its largest")
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
