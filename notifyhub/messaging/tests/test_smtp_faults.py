"""A worker and a mail server that misbehaves at every step: the ledger says what is known, and no more."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from notifyhub.messaging.models import AccountGate, Batch, Delivery, Dispatch
from notifyhub.messaging.services.accounts import create_account
from notifyhub.messaging.tests.kit.processes import lines_of, running, wait_for
from notifyhub.messaging.tests.kit.sending import (
    assert_counts_are_the_ledger,
    dispatch_to,
    make_recipients,
    states,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ONCE = ("manage.py", "run_worker_once")
REFUSED = ("rcpt-550", "data-550", "dot-550")
# Each is met on the first try only, so that everybody but the refused and the doubtful gets the mail.
PASSING = (
    *("mail-450", "mail-550", "mail-421", "mail-close", "mail-garbage"),
    *(
        "rcpt-450",
        "rcpt-421",
        "rcpt-rst",
        "rcpt-close",
        "rcpt-endless",
        "rcpt-wrong",
        "rcpt-drip",
        "rcpt-hang",
    ),
    *("data-450", "data-421", "data-close", "data-rst", "data-wrong", "data-twice", "data-garbage"),
    *("dot-450", "dot-421", "dot-drip", "dot-twice"),
)
DOUBTFUL = (
    *("dot-close", "dot-rst", "dot-garbage", "dot-hang"),
    *("dot-take-close", "dot-take-rst", "dot-take-garbage", "dot-take-endless", "dot-take-wrong"),
    "dot-take-hang",
)


@contextlib.contextmanager
def bad_server(tmp_path: Path, *options: str) -> Iterator[Path]:
    """Run a bad server, with an account that uses it; give the log of what it took."""
    log, output = tmp_path / "taken.log", tmp_path / "server.log"
    log.touch()
    with running("-m", "notifyhub.messaging.tests.kit.bad_smtp", str(log), *options, output=output):
        wait_for(lambda: output.read_text().split("\n")[0].isdigit())
        values: dict[str, Any] = {"host": "127.0.0.1", "port": int(output.read_text().split("\n")[0])}
        values |= {"security": "none", "from_email": "news@shop.example", "connections": 3}
        create_account(
            channel="email",
            backend="smtp",
            name="Bad",
            values={**values, "timeout": 1, "dot_timeout": 1},
        )
        yield log


def mailboxes() -> list[str]:
    """Return the cues among ordinary mailboxes, so that no connection meets one bad moment after another."""
    cues = [*REFUSED, *(f"once-{cue}" for cue in PASSING), *DOUBTFUL]
    return [
        address
        for number, cue in enumerate(cues)
        for address in (
            f"{cue}.{number}@mail.example",
            *(f"good.{number}-{n}@mail.example" for n in range(3)),
        )
    ]


def work_until_done(dispatch: Dispatch, output: Path) -> None:
    """Run workers until the dispatch has ended; nobody waits for retries and shut circuits."""
    for _ in range(12):
        with running(*ONCE, output=output) as worker:
            worker.wait(timeout=60)
        if Dispatch.objects.get(pk=dispatch.pk).state == Dispatch.State.FINISHED:
            return
        now = timezone.now()
        Batch.objects.filter(dispatch=dispatch, state=Batch.State.READY).update(not_before=now)
        AccountGate.objects.update(retry_at=now, circuit="closed", failures=0)
    pytest.fail(output.read_text()[-3000:])


@pytest.mark.parametrize(("message_class", "options"), [("transactional", ()), ("promotional", ("--plain",))])
def test_whatever_the_server_does_the_ledger_says_what_is_known(
    tmp_path: Path, message_class: str, options: tuple[str, ...]
) -> None:
    addresses = mailboxes()
    customers = make_recipients(*addresses)
    dispatch = dispatch_to(message_class=message_class)
    output = tmp_path / "worker.log"
    with bad_server(tmp_path, *options) as taken:
        work_until_done(dispatch, output)

    found = states(dispatch)
    assert set(found) <= {"sent", "failed", "unknown"}
    assert sum(found.values()) == len(addresses)
    assert_counts_are_the_ledger(dispatch)
    assert "Traceback" not in output.read_text()

    handed = Counter(line.split()[0] for line in lines_of(taken))
    people = {one.pk: address for one, address in zip(customers, addresses, strict=True)}
    rows = Delivery.objects.filter(dispatch_id=dispatch.pk).values_list("customer_id", "state")
    ledger = {people[customer]: Delivery.State(state) for customer, state in rows}
    assert set(handed) <= set(ledger)
    for address, state in ledger.items():
        cue = address.partition(".")[0]
        again = message_class == "transactional" and cue in DOUBTFUL
        # A message in doubt goes out once more at most, and only if its class asks for it.
        assert handed[address] <= (2 if again else 1), address
        if cue in REFUSED:
            assert (state, handed[address]) == (Delivery.State.FAILED, 0), address
        elif cue in DOUBTFUL:
            assert state == Delivery.State.UNKNOWN, address
        else:
            assert (state, handed[address]) == (Delivery.State.SENT, 1), address
    # The name is the same on both tries, so that a reader's mailbox can tell.
    names = {tuple(line.split()) for line in lines_of(taken)}
    assert len(names) == len(handed)
