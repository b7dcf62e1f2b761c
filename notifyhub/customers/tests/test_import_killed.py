"""An import that is killed with SIGKILL and started again, as a real process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from notifyhub.customers.models import Consent, ConsentRecord, ContactPoint, Customer, CustomerImport
from notifyhub.customers.tests.factories import make_topic
from notifyhub.customers.tests.importing import write

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

ROWS = 18_000


def start(path: Path) -> subprocess.Popen:
    parts = urlsplit(os.environ["DATABASE_URL"])
    # An empty host is dropped by urlunsplit together with its slashes.
    url = f"{parts.scheme}://{parts.netloc}/{connection.settings_dict['NAME']}?{parts.query}"
    arguments = ["--consent", "deals:sms", "--consent-source", "crm", "--proof", "p"]
    return subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "import_customers",
            str(path),
            *arguments,
            "--consent-date",
            "2026-01-01",
        ],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for(process: subprocess.Popen, cursor: int) -> None:
    """Return once the import has come past `cursor`."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        run = CustomerImport.objects.first()
        if run is not None and run.cursor > cursor:
            return
        time.sleep(0.02)
    raise AssertionError("The import ended, or did not move, before it could be killed.")


def test_it_goes_on_where_it_was_killed_and_doubles_nobody(tmp_path: Path) -> None:
    make_topic("deals")
    lines = [f"E{n},c{n},1{3 + n % 6}{n:09d},c{n}@mail.example" for n in range(ROWS)]
    path = write(tmp_path / "a.csv", "id,name,phone,email\n" + "\n".join([*lines, "E1,again,,"]) + "\n")
    stopped_at = -1
    for _kill in range(2):
        process = start(path)
        try:
            wait_for(process, max(stopped_at, 0))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        stopped_at = CustomerImport.objects.get().cursor
    assert 0 < stopped_at < ROWS
    assert start(path).wait() == 0
    run = CustomerImport.objects.get()
    assert (run.state, run.cursor) == ("done", ROWS + 1)
    assert (run.created, run.updated, run.duplicates, run.bad) == (ROWS, 1, 1, 0)
    assert Customer.objects.count() == ROWS
    assert ContactPoint.objects.count() == 2 * ROWS
    assert Consent.objects.count() == ConsentRecord.objects.count() == ROWS
