"""A real backup into a real file, and a real restore into another database."""

import hashlib
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from notifyhub.messaging.backup.archive import HEAD, MAGIC
from notifyhub.messaging.backup.tools import find_tools, server_major
from notifyhub.messaging.engine.planner import plan_dispatch
from notifyhub.messaging.models import Batch, Dispatch, Halt
from notifyhub.messaging.tests.kit.processes import environment
from notifyhub.messaging.tests.kit.sending import dispatch_to, make_recipients, memory_account
from notifyhub.staff.models import AuditEntry

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

# Something new is accepted and sent, then the overdue is released and sent; prints what was sent when.
LIFE = """
from django.core.management import call_command
from notifyhub.customers.models import Customer
from notifyhub.messaging.services.halts import release_overdue
from notifyhub.messaging.tests.kit.sending import dispatch_to, drain, states
from notifyhub.messaging.models import Dispatch
old = Dispatch.objects.get()
new = dispatch_to(list(Customer.objects.all()), message_class="transactional")
drain()
before = [states(old), states(new)]
released = release_overdue()
drain()
call_command("verify_audit")
print(*before, released, states(old), sep="|")
"""


def manage(url: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py on the database of that address; return how it went."""
    env = {**environment(**more), "DATABASE_URL": url}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        env=env,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def other() -> Iterator[str]:
    """The address of an empty database beside the test's own."""
    name = f"{connection.settings_dict['NAME']}_restored"
    own = environment()["DATABASE_URL"]
    parts = urlsplit(own)
    url = urlunsplit(parts._replace(path=f"/{name}"))
    url = url.replace(f"{parts.scheme}:/", f"{parts.scheme}://", 1) if "://" not in url else url
    with psycopg.connect(own, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}"')
        yield url
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query in the other database."""
    with psycopg.connect(url, autocommit=True) as there:
        return there.execute(query).fetchall()


@pytest.fixture
def overdue() -> Dispatch:
    """A planned dispatch to two people that is due since an hour."""
    memory_account()
    dispatch = dispatch_to(make_recipients("auto", "auto"))
    plan_dispatch(dispatch_id=dispatch.pk)
    Batch.objects.update(not_before=timezone.now() - timedelta(hours=1))
    return dispatch


def test_what_was_overdue_stays_after_a_restore_what_is_new_goes_and_lifting_sends(
    overdue: Dispatch, other: str, tmp_path: Path
) -> None:
    file = tmp_path / "hub.backup"
    call_command("backup", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["hub.backup"]
    assert AuditEntry.objects.filter(verb="make_backup").exists()

    restored = manage(other, "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert "2 messages were due before" in restored.stdout
    life = manage(other, "shell", "-c", LIFE)
    assert life.returncode == 0, life.stderr
    assert life.stdout.splitlines()[-1] == "{'planned': 2}|{'sent': 2}|2|{'sent': 2}"
    replaced = manage(other, "restore", str(file), "--replace")
    assert replaced.returncode == 0, replaced.stderr
    rows = ask(other, f"SELECT state FROM messaging_delivery WHERE dispatch_id = {overdue.pk}")
    assert rows == [(0,), (0,)]
    assert ask(other, "SELECT count(*) FROM pg_namespace WHERE nspname = 'notifyhub_replaced'") == [(0,)]


def test_a_restore_is_refused_in_words_and_changes_nothing(
    overdue: Dispatch, tmp_path: Path, settings: Any
) -> None:
    file = tmp_path / "hub.backup"
    call_command("backup", str(file))
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", str(file))
    refused(file, "not empty", "--no")
    refused(tmp_path / "nothing", "cannot be read")
    with psycopg.connect(environment()["DATABASE_URL"]):
        refused(file, "Stop web, workers and beat")

    short, strange, newer, spoiled = (tmp_path / name for name in ("short", "strange", "newer", "spoiled"))
    data = file.read_bytes()
    short.write_bytes(data[:-100])
    strange.write_bytes(b"PGDMP" + data[:9000])
    facts = json.loads(data[len(MAGIC) : HEAD])
    newer.write_bytes(head({**facts, "migrations": ["messaging.9999_future"]}) + data[HEAD:])
    half = data[HEAD : HEAD + (len(data) - HEAD) // 2]
    spoiled.write_bytes(head({**facts, "size": len(half), "sha256": hashlib.sha256(half).hexdigest()}) + half)
    refused(short, "damaged or was cut short")
    refused(strange, "no backup that NotifyHub made")
    refused(newer, "newer NotifyHub")
    # This one is found out in mid-load: what was there before must be there still.
    refused(spoiled, "nothing was changed")
    assert list(Dispatch.objects.values_list("pk", flat=True)) == [overdue.pk]
    assert not Halt.objects.exists()
    settings.FIELD_KEYS = ["k2:MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="]
    refused(file, r"other FIELD_KEYS \(k1\)")


def refused(path: Path, words: str, option: str = "--replace") -> None:
    """Restore into this very database, which must be refused with these words."""
    with pytest.raises(CommandError, match=words):
        call_command("restore", str(path), replace=option == "--replace")


def head(facts: dict[str, object]) -> bytes:
    """Return the first page of a file that says this of itself."""
    return (MAGIC + json.dumps(facts).encode()).ljust(HEAD - 1) + b"\n"


def test_a_backup_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("backup", str(tmp_path / "no" / "folder"))
    os.environ["PGOPTIONS"] = "-c nonsense=1 -c default_transaction_read_only=banana"
    try:
        with pytest.raises(CommandError, match="pg_dump failed"):
            call_command("backup", str(tmp_path / "hub.backup"))
    finally:
        del os.environ["PGOPTIONS"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("room", [2_000, 200_000])
def test_a_disk_that_fills_up_is_said_in_a_sentence_and_leaves_nothing(tmp_path: Path, room: int) -> None:
    """A limit on the size of files stands for the disk: the writing fails at the same place."""
    command = [sys.executable, "manage.py", "backup", str(tmp_path / "hub.backup")]
    done = subprocess.run(
        command,
        env=environment(),
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert done.returncode != 0
    assert "The backup could not be written: " in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert not AuditEntry.objects.filter(verb="make_backup").exists()


def test_the_programs_match_the_server() -> None:
    tools = find_tools(at_least=server_major())
    assert tools.major >= server_major()
    with pytest.raises(Exception, match="postgresql-client-99"):
        find_tools(at_least=99)
