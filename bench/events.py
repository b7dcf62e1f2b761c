"""Events in over HTTP, in batches, by a web process of its own, and the timeline read while they come."""

import base64
import http.client
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.test import RequestFactory

from bench.processes import end, say, start
from bench.table import Figure, measured, percentile
from bench.world import World
from notifyhub.customers.models import Customer, Event, EventKey, Order
from notifyhub.customers.services.timeline import timeline_page
from notifyhub.staff.models import User
from notifyhub.staff.services.api_keys import create_api_key

BATCH = 500
SENDERS = 2
TARGET = 2_000
READS = 40
Told = dict[str, Any]


@dataclass(frozen=True)
class Door:
    """An address that takes events, the shape of its bodies, and who we are to it."""

    path: str
    shape: Callable[[Sequence[Told]], bytes]
    auth: str


def tell(count: int, people: int, mark: str) -> list[Told]:
    """Return events as a shop sends them: of five, two tell of orders, three of what people looked at."""
    now = datetime.now(UTC) - timedelta(hours=1)
    told = []
    for n in range(count):
        order = f"{mark}-{n // 5}"
        kind = ("order_placed", "order_paid", "product_viewed", "page_viewed", "cart_changed")[n % 5]
        facts: Told = {"sku": f"S{n % 997}", "price": n % 300 + 0.5, "city": "上海", "channel": "app"}
        if kind.startswith("order"):
            facts = {"line": "food", "merchant": f"店{n % 500}", "amount_due": "58.50", "city": "上海"}
        told.append(
            {
                "message_id": f"{mark}:{n}",
                "name": kind,
                "occurred_at": (now + timedelta(milliseconds=n)).isoformat(),
                # The two of one order are of one person.
                "external_id": f"B{n // 5 * 7919 % people + 1}"
                if n % 5 < 2
                else f"B{n * 104729 % people + 1}",
                "order_number": order if kind.startswith("order") else "",
                "properties": facts,
            }
        )
    return told


def as_own(told: Sequence[Told]) -> bytes:
    """Return a batch for our own API."""
    return json.dumps({"batch": told}, ensure_ascii=False).encode()


def as_segment(told: Sequence[Told]) -> bytes:
    """Return the same as Segment's clients send it."""
    batch = [
        {
            "type": "track",
            "messageId": one["message_id"],
            "event": one["name"],
            "userId": one["external_id"],
            "timestamp": one["occurred_at"],
            "properties": {**one["properties"], "order_id": one["order_number"] or None},
        }
        for one in told
    ]
    return json.dumps({"batch": batch, "sentAt": datetime.now(UTC).isoformat()}, ensure_ascii=False).encode()


@contextmanager
def web() -> Iterator[int]:
    """Run the web process as ./run does; give its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        port: int = listener.getsockname()[1]
        words = ["-m", "gunicorn", "notifyhub.wsgi", "--bind", f"fd://{listener.fileno()}"]
        words += ["--worker-class", "gthread", "--workers", "1", "--threads", "8", "--no-control-socket"]
        words += ["--timeout", "120", "--log-level", "warning"]
        env = os.environ | {"NOTIFYHUB_DB_POOL": "1", "PUBLIC_URL": "http://localhost"}
        process = start(*words, env=env, pass_fds=(listener.fileno(),), stdout=subprocess.DEVNULL)
        try:
            _wait_for(port, process)
            yield port
        finally:
            end([process])


def _wait_for(port: int, process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            line.request("GET", "/healthz")
            if line.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("The web process gave no answer.")


def send(port: int, door: Door, bodies: Sequence[bytes]) -> float:
    """Post the bodies over a few connections; return how many seconds that took."""
    waiting = list(reversed(bodies))
    headers = {"Content-Type": "application/json", "Authorization": door.auth}
    wrong: list[str] = []

    def work() -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while waiting and not wrong:
            try:
                body = waiting.pop()
            except IndexError:
                # The other one was quicker.
                break
            line.request("POST", door.path, body, headers)
            answer = line.getresponse()
            text = answer.read()
            if answer.status not in (200, 202):
                wrong.append(f"{answer.status} {text[:300]!r}")

    threads = [threading.Thread(target=work) for _ in range(SENDERS)]
    began = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if wrong:
        raise RuntimeError(wrong[0])
    return time.perf_counter() - began


def run(world: World) -> list[Figure]:
    """Return the figures of events in."""
    _key, token = create_api_key(name="bench", scopes=["events:write"], per_minute=1_000_000)
    basic = base64.b64encode(f"{token}:".encode()).decode()
    own = Door("/api/v1/events", as_own, f"Bearer {token}")
    segment = Door("/v1/batch", as_segment, f"Basic {basic}")
    rates: dict[str, list[float]] = {"own": [], "segment": [], "saved": []}
    reads: list[float] = []
    with web() as port:
        _pour(world, port, own, BATCH)
        for number in range(world.size.rounds):
            say(f"Events in, round {number + 1}: {world.size.events:,} by each door.")
            rates["own"].append(_pour(world, port, own, world.size.events))
            rates["segment"].append(_pour(world, port, segment, world.size.events))
            rates["saved"].append(_save_one_by_one(world))
            reads += _read_while_they_come(world, port, own)
    note = f"batches of {BATCH}, 1 web process"
    against = "events/s saved one by one"
    return [
        measured("events in by our API", rates["own"], "events/s", target=TARGET, note=note),
        measured("events in by Segment's clients", rates["segment"], "events/s", target=TARGET, note=note),
        measured(
            "events in against one by one",
            rates["own"],
            "events/s",
            baselines=rates["saved"],
            against=against,
            note="without HTTP there",
        ),
        measured(
            "timeline with the new event on it, p99",
            [percentile(reads, 0.99)],
            "ms",
            more=False,
            note=f"{len(reads)} reads, each after its batch was answered, others coming in",
        ),
    ]


def _mark() -> str:
    return f"{time.time_ns():x}"


def _pour(world: World, port: int, door: Door, count: int) -> float:
    """Send so many events by a door; return how many a second were taken."""
    told = tell(count, world.people, _mark())
    bodies = [door.shape(told[at : at + BATCH]) for at in range(0, count, BATCH)]
    before = Event.objects.count()
    seconds = send(port, door, bodies)
    assert Event.objects.count() - before == count, "events were lost"
    return count / seconds


def _read_while_they_come(world: World, port: int, door: Door) -> list[float]:
    """Return how long it took, in ms, to read the timeline of somebody just told of, while others are."""
    many = tell(BATCH * READS, world.people, _mark())
    others = [door.shape(many[at : at + BATCH]) for at in range(0, len(many), BATCH)]
    beside = threading.Thread(target=send, args=(port, door, others))
    request: Any = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_active=True, is_staff=True)
    times = []
    beside.start()
    for _ in range(READS):
        told = tell(50, world.people, _mark())
        send(port, door, [door.shape(told)])
        customer_id = Customer.objects.values_list("pk", flat=True).get(external_id=told[-1]["external_id"])
        began = time.perf_counter()
        page = timeline_page(customer_id=customer_id, request=request, kind="event")
        times.append((time.perf_counter() - began) * 1e3)
        said = datetime.fromisoformat(told[-1]["occurred_at"])
        assert said in [entry.at for entry in page.entries], "not on the timeline"
    beside.join()
    return times


def _save_one_by_one(world: World) -> float:
    """Save the same events the way an application does without thinking; return how many a second."""
    told = tell(world.size.events_baseline, world.people, _mark())
    began = time.perf_counter()
    for one in told:
        with transaction.atomic():
            at = datetime.fromisoformat(one["occurred_at"])
            customer = Customer.objects.get(external_id=one["external_id"])
            event = Event(
                customer=customer,
                name=one["name"],
                occurred_at=at,
                received_at=datetime.now(UTC),
                order_number=one["order_number"],
                properties=one["properties"],
                source="bench",
                message_id=one["message_id"],
            )
            event.save()
            EventKey.objects.get_or_create(
                message_id=event.message_id, defaults={"event_id": event.pk, "received_at": event.received_at}
            )
            if one["order_number"]:
                order, _made = Order.objects.select_for_update().get_or_create(
                    number=one["order_number"], defaults={"customer": customer, "told_at": at, "line": "food"}
                )
                order.state, order.told_at = one["name"].removeprefix("order_"), at
                order.merchant, order.amount_due = (
                    one["properties"]["merchant"],
                    one["properties"]["amount_due"],
                )
                order.save()
                customer.last_order_at = at
                customer.save()
    return len(told) / (time.perf_counter() - began)
