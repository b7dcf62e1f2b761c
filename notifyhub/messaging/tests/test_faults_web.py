"""The web process is killed while it accepts a message: the same key brings the same message, once."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.models import F

from notifyhub.messaging.models import Dispatch, DispatchItem
from notifyhub.messaging.tests.kit.processes import running, wait_for
from notifyhub.staff.models import IdempotentRequest
from notifyhub.staff.services.api_keys import create_api_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

BODY = {
    "text": {"subject": "Your code", "body": "Your code is 4711"},
    "channels": [{"channel": "email"}],
    "recipients": [{"email": "li@mail.example"}],
}


class Web:
    """A real web process, and a caller with an Idempotency-Key."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.headers = {
            "Authorization": f"Bearer {key}",
            "Idempotency-Key": "order-4711",
            "Content-Type": "application/json",
        }
        self.port = 0

    @contextmanager
    def runs(self) -> Iterator[int]:
        """Run the process; give its number."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        command = ("-m", "gunicorn", "notifyhub.wsgi", "--bind", f"127.0.0.1:{self.port}", "--threads", "4")
        output = self.folder / "web.log"
        with running(*command, "--no-control-socket", output=output, ALLOWED_HOSTS="127.0.0.1") as process:
            wait_for(self._answers)
            yield process.pid

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def ask(self) -> http.client.HTTPConnection:
        """Send the request and do not wait for its answer."""
        caller = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        caller.request("POST", "/api/v1/messages", json.dumps(BODY), self.headers)
        return caller

    def post(self) -> tuple[int, Any, bool]:
        """Return the status, the answer and whether it is a replay."""
        caller = self.ask()
        answer = caller.getresponse()
        found = answer.status, json.loads(answer.read()), answer.headers["Idempotent-Replayed"] == "true"
        caller.close()
        return found


def test_killed_before_or_after_it_was_accepted_it_is_one_message(tmp_path: Path) -> None:
    web = Web(tmp_path, create_api_key(name="orders", scopes=["messages:send", "messages:read"])[1])
    with web.runs() as pid, psycopg.connect(**connection.get_connection_params()) as gate:
        gate.execute("LOCK TABLE messaging_dispatchitem IN ACCESS EXCLUSIVE MODE")
        caller = web.ask()
        wait_for(lambda: bool(gate.execute(_WAITS).fetchone()[0]))  # type: ignore[index]
        os.killpg(pid, signal.SIGKILL)
        caller.close()
    # Half of it had been written, and none of it is there.
    assert not Dispatch.objects.exists()

    with web.runs() as pid:
        status, _, _ = web.post()
        assert status == 409, "whether the first one still works nobody can know so soon"
        IdempotentRequest.objects.update(created_at=F("created_at") - timedelta(minutes=2))
        caller = web.ask()
        wait_for(lambda: Dispatch.objects.exists())
        os.killpg(pid, signal.SIGKILL)
        caller.close()

    with web.runs():
        status, answer, replayed = web.post()
        assert (status, replayed) == (202, True)
        assert web.post() == (202, answer, True)
    assert Dispatch.objects.count() == DispatchItem.objects.count() == 1


_WAITS = """
SELECT EXISTS (
    SELECT FROM pg_locks WHERE relation = 'messaging_dispatchitem'::regclass AND NOT granted)
"""
