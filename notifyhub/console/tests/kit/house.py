"""The whole stack as ./run starts it, beside a mail server that remembers, to be killed at will."""

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import psycopg

from notifyhub.console.tests.kit.visitor import Visitor
from notifyhub.messaging.tests.kit.processes import lines_of, sink
from notifyhub.supervise.tests.running import Run, descendants

SETTINGS = {
    "NOTIFYHUB_ALLOW_RECIPIENTS": "*",
    # Leases of killed workers end soon, so that the test does.
    "NOTIFYHUB_LEASE_SECONDS": "6",
    "NOTIFYHUB_TICK_SECONDS": "2",
}


@dataclass(frozen=True)
class Mail:
    """One acceptance by the mail server."""

    recipient: str
    message_id: str


class House:
    """One installation over its starts and deaths."""

    def __init__(self, folder: Path, sink_port: int, accepted: Path) -> None:
        self.folder = folder
        self.sink_port = sink_port
        self.accepted = accepted
        self.run = Run(folder / "data 数据", "--empty", **SETTINGS).wait_until_up()
        name, password = (self._told(label) for label in ("Account", "Password"))
        self.visitor = Visitor(f"http://127.0.0.1:{self.run.port}")
        login = self.visitor.open("/admin/").form(field="password")
        self.visitor.send(login, username=name, password=password)

    def _told(self, label: str) -> str:
        found = re.search(rf"^ +{label} +(\S+)", self.run.log, re.MULTILINE)
        assert found, self.run.log
        return found.group(1)

    def manage(self, *words: str) -> str:
        """What manage.py prints in a second terminal."""
        return self.run.manage(*words)

    def kill_everything(self) -> int:
        """kill -9 every process of the stack at once; return how many there were."""
        everything = {self.run.process.pid} | descendants(self.run.process.pid)
        for pid in everything:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.run.process.wait()
        return len(everything)

    def start_again(self) -> None:
        """Start on the same data at the same address."""
        self.run = Run(self.run.data_folder, "--empty", port=self.run.port, **SETTINGS).wait_until_up()

    def mails(self) -> list[Mail]:
        """Everything the mail server has accepted, in order."""
        return [Mail(*line.split()) for line in lines_of(self.accepted)]

    def mail(self, message_id: str) -> EmailMessage:
        """One mail as it arrived."""
        raw = (self.folder / "mails" / f"{message_id}.eml").read_bytes()
        found = message_from_bytes(raw, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def ledger(self, title: str) -> dict[str, tuple[str, int]]:
        """The ledger of the sending of that title, as an auditor reads it in the database.

        Keyed by Message-ID without the domain; each with the customer's number and the state.
        """
        env = (self.run.data_folder / "env").read_text()
        found = re.search(r"^DATABASE_URL=(.*)$", env, re.MULTILINE)
        assert found, env
        with psycopg.connect(found.group(1)) as connection:
            rows = connection.execute(
                "SELECT replace(d.key::text, '-', '') || '.' || m.id, c.external_id, m.state "
                "FROM messaging_delivery m JOIN messaging_dispatch d ON d.id = m.dispatch_id "
                "JOIN customers_customer c ON c.id = m.customer_id WHERE d.title = %s",
                [title],
            ).fetchall()
        return {name: (number, state) for name, number, state in rows}


@contextlib.contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """Start the mail server and the stack, sign in; stop both afterwards."""
    (folder / "mails").mkdir()
    with sink(folder, "--mails", str(folder / "mails"), delay=0.004) as (port, accepted):
        house = House(folder, port, accepted)
        try:
            yield house
        finally:
            house.run.end()
