"""A real worker over an HTTP vendor with every kind of misbehaviour, and receipts that race the worker."""

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from notifyhub.customers.tests.factories import make_customer, make_topic, opt_in
from notifyhub.messaging.channels.webhook.signing import sign
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import AccountGate, Batch, Delivery, Dispatch, ProviderAccount
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.services.receipts import match_receipts, receipt_address
from notifyhub.messaging.tests.kit.http_sink import MODES, TAKEN
from notifyhub.messaging.tests.kit.processes import http_sink, lines_of, running
from notifyhub.messaging.tests.kit.sending import assert_counts_are_the_ledger, dispatch_to

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]
State = Delivery.State

OK = 40
EACH = 2
SECRET = "whsec_" + base64.b64encode(b"sink").decode()
ONCE = ("manage.py", "run_worker_once")

# What becomes of a promotion in each mode; an assured message gets one more try where there was doubt.
ENDS = {
    "ok": "sent",
    "limited": "failed",
    "closed": "failed",
    "unheard": "failed",
    "reject": "failed",
    "redirect": "failed",
    "broken": "unknown",
    "hang": "unknown",
    "drip": "unknown",
    "drop": "unknown",
    "reset": "unknown",
    "garbage": "unknown",
    "once-limited": "sent",
    "once-drop": "unknown",
}


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    with http_sink(tmp_path, "--delay", "0.01") as served:
        yield served


def finish(dispatch: Dispatch, output: Path, act: Any = None) -> None:
    """Run workers until the dispatch has ended, with all waiting times let pass; `act` races with them."""
    until = time.monotonic() + 90
    while Dispatch.objects.get(pk=dispatch.pk).state != Dispatch.State.FINISHED:
        with running(*ONCE, output=output) as worker:
            while worker.poll() is None:
                assert time.monotonic() < until, output.read_text()[-3000:]
                waiting = Batch.objects.filter(dispatch=dispatch, state=Batch.State.READY)
                waiting.update(not_before=timezone.now())
                AccountGate.objects.update(circuit="closed", failures=0, retry_at=None)
                if act is not None:
                    act()
                time.sleep(0.05)
            assert worker.returncode == 0, output.read_text()[-3000:]


def ended(dispatch: Dispatch, modes: dict[int, str]) -> dict[str, set[str]]:
    """Return {mode: the states its messages ended in}."""
    found: dict[str, set[str]] = {}
    for row in Delivery.objects.filter(dispatch_id=dispatch.pk):
        found.setdefault(modes[row.customer_id], set()).add(State(row.state).name.lower())
    return found


def keys_by_state(dispatch: Dispatch, *states: int) -> set[str]:
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk, state__in=states).values_list("pk", flat=True)
    return {f"{dispatch.key.hex}.{row}" for row in rows}


class Receipts:
    """Reports on every second message that the vendor took, as soon as it took it, and twice."""

    def __init__(self, account: ProviderAccount, log: Path) -> None:
        self.path = receipt_address(account).partition("://")[2].partition("/")[2]
        self.log, self.told = log, 0

    def __call__(self) -> None:
        lines = lines_of(self.log)
        fresh = [line for line in lines[self.told :] if "told" in line]
        self.told = len(lines)
        if not fresh:
            return
        body = json.dumps(
            [{"type": "message.delivered", "data": {"key": line.split()[1]}} for line in fresh]
        ).encode()
        for half in ("a", "b"):
            headers = sign(SECRET, name=f"evt_{self.told}{half}", now=timezone.now(), body=body)
            answer = Client().post(f"/{self.path}", body, content_type="application/json", headers=headers)
            assert answer.status_code == 200
        match_receipts()


def webhook(port: int) -> ProviderAccount:
    values = {"endpoint": f"http://127.0.0.1:{port}/send", "secret": SECRET, "timeout": 1}
    return create_account(channel="email", backend="webhook", name="Gateway", values=values)


def people_by_mail() -> dict[int, str]:
    topic, modes = make_topic(), {}
    for mode in ENDS:
        for n in range(OK if mode == "ok" else EACH):
            told = n % 2
            customer = make_customer(email=f"{mode}.{n}{'told' if told else ''}@mail.example")
            opt_in(customer, topic, "email")
            modes[customer.pk] = f"{mode}, told" if told else mode
    return modes


def test_promotions_end_as_certain_as_the_answer_and_the_receipts(
    vendor: tuple[int, Path], tmp_path: Path
) -> None:
    port, log = vendor
    receipts = Receipts(webhook(port), log)
    modes = people_by_mail()
    dispatch = dispatch_to()
    plan_dispatch(dispatch_id=dispatch.pk)
    finish(dispatch, tmp_path / "worker.log", receipts)
    receipts()
    arrived = TAKEN | {"once-limited", "once-drop"}
    wanted = {mode: {state} for mode, state in ENDS.items()}
    wanted |= {f"{mode}, told": {"delivered"} if mode in arrived else {state} for mode, state in ENDS.items()}
    assert ended(dispatch, modes) == wanted
    assert_counts_are_the_ledger(dispatch)
    taken = Counter(line.split()[1] for line in lines_of(log))
    assert set(taken.values()) == {1}
    sure = keys_by_state(dispatch, State.SENT, State.DELIVERED)
    assert sure <= set(taken) <= sure | keys_by_state(dispatch, State.UNKNOWN)


def test_assured_sms_are_doubled_only_where_there_was_doubt(vendor: tuple[int, Path], tmp_path: Path) -> None:
    port, log = vendor
    values = {
        "endpoint": f"http://127.0.0.1:{port}",
        "access_key_id": "id",
        "access_key_secret": "sink",
        "sign_name": "店",
        "template_code": "SMS_1",
        "timeout": 1,
    }
    create_account(channel="sms", backend="aliyun", name="Aliyun", values=values)
    modes: dict[int, str] = {}
    for tail, mode in [*MODES.items(), *((f"9{n:03d}", "ok") for n in range(OK))]:
        for n in range(EACH if mode != "ok" else 1):
            modes[make_customer(phone=f"+86138{n:04d}{tail}", email=None).pk] = mode
    dispatch = dispatch_to(message_class="transactional", topic=None, chain=[{"channel": "sms"}])
    plan_dispatch(dispatch_id=dispatch.pk)
    finish(dispatch, tmp_path / "worker.log")
    # 503 and 429 come without the vendor's code here, and a code that nobody knows is tried again.
    wanted = {**ENDS, "once-drop": "sent"}
    assert ended(dispatch, modes) == {mode: {state} for mode, state in wanted.items()}
    assert_counts_are_the_ledger(dispatch)
    taken = Counter(line.split()[1] for line in lines_of(log))
    doubled = {key for key, count in taken.items() if count > 1}
    assert max(taken.values()) == 2
    assert len(doubled) == EACH * len(("hang", "drip", "drop", "garbage", "once-drop"))
    once = keys_by_state(dispatch, State.SENT)
    assert once <= set(taken)
    assert not keys_by_state(dispatch, State.FAILED) & set(taken)
