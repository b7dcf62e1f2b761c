"""The list of messages over a large ledger, through the page itself."""

import re
import time
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.urls import reverse

from bench import sql
from bench.cpu import Meter
from bench.processes import say
from bench.table import Figure, measured
from bench.world import World
from notifyhub.messaging.models import Delivery, Dispatch

DISPATCHES = 50
TIMES = 7
_COUNT = re.compile(r"\bcount\(", re.IGNORECASE)
_LEDGER = re.compile(r"messaging_delivery\b|messaging_deliveryevent\b")


def run(world: World) -> list[Figure]:
    """Return the figures of the list's pages."""
    rows = _fill(world)
    user = get_user_model().objects.create_superuser(username="bench", password="unused")
    client = Client(HTTP_HOST="testserver")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    last = Dispatch.objects.filter(origin_kind="bench-old").latest("pk").pk
    customer = Delivery.objects.filter(dispatch_id=last)[:1].get().customer_id
    base = reverse("admin:messaging_delivery_changelist")
    pages = {
        "first page": "",
        "second page": _second(client, base),
        "of one dispatch, failed": f"?dispatch={last}&state={Delivery.State.FAILED}",
        "of one customer": f"?customer={customer}",
    }
    figures, counting = [], 0
    for name, query in pages.items():
        times, whole = [], []
        for _ in range(TIMES):
            seen: list[str] = []
            began = time.perf_counter()
            with Meter(partial(_note, seen)) as meter:
                answer = client.get(base + query, secure=True)
            whole.append((time.perf_counter() - began) * 1e3)
            assert answer.status_code == 200, f"{base}{query} answered {answer.status_code}"
            times.append(meter.wall() * 1e3)
            counting += sum(1 for one in seen if _is_unbounded_count(one))
        figures.append(
            measured(
                f"messages in the admin, {name}: SQL",
                times[1:],
                "ms",
                target=50 if name == "first page" else None,
                more=False,
                note=f"{rows:,} messages",
            )
        )
        if not query:
            figures.append(measured("messages in the admin, first page: all", whole[1:], "ms", more=False))
    figures.append(measured("unbounded counts on those pages", [counting], "counts", target=0, more=False))
    return figures


def _note(seen: list[str], statement: Any, params: Any) -> Any:
    seen.append(str(statement))
    return params


def _is_unbounded_count(statement: str) -> bool:
    return bool(_COUNT.search(statement) and _LEDGER.search(statement) and "LIMIT" not in statement.upper())


def _second(client: Client, base: str) -> str:
    """Return the query of the page behind the first one."""
    found = re.search(r'href="[^"]*(\?after=[\w-]+)"', client.get(base, secure=True).content.decode())
    assert found, "the first page leads to no second one"
    return found[1]


def _fill(world: World) -> int:
    """Write old dispatches and their messages; return how many messages the ledger has."""
    each = max(1, world.size.ledger // DISPATCHES)
    say(f"Writing {each * DISPATCHES:,} messages.")
    like = world.accept({"all": True}, world.edition())
    world.park(like)
    changes = {
        "key": "gen_random_uuid()",
        "origin_kind": "'bench-old'",
        "state": "'finished'",
        "planned": str(each),
        "finished_at": "now()",
    }
    statement = sql.OLD_DISPATCHES.format(**sql.copied(Dispatch, changes, alias="j"))
    with connection.cursor() as cursor:
        cursor.execute(statement, {"dispatches": DISPATCHES, "like": like.pk})
        made = [row[0] for row in cursor.fetchall()]
        for number, dispatch in enumerate(made):
            values = {
                "dispatch": dispatch,
                "base": 10**9 + number * each,
                "after": number * each % max(1, world.people - each),
                "rows": each,
            }
            cursor.execute(sql.OLD_MESSAGES, values)
        cursor.execute("VACUUM ANALYZE messaging_delivery")
        cursor.execute("SELECT count(*) FROM messaging_delivery")
        return int(cursor.fetchone()[0])
