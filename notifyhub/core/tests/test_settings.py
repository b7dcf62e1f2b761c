"""Settings say at once, in one sentence, what is wrong with the environment."""

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

KEY = "k1:" + base64.b64encode(b"0" * 32).decode()
# The strength that production asks for; the value means nothing.
SECRET = "9f" * 16 + "-zQ7-another-half-of-it-KJh23"
GOOD = {
    "PRODUCTION": "1",
    "SECRET_KEY": SECRET,
    "FIELD_KEYS": KEY,
    "ALLOWED_HOSTS": "hub.example",
    "PUBLIC_URL": "https://hub.example",
}


def check(folder: Path, *arguments: str, **environment: str) -> Any:
    """Run `manage.py check` in an environment of its own; return the finished process."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "DATABASE_URL") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", "check", *arguments],
        cwd=settings.BASE_DIR,
        env={**kept, "NOTIFYHUB_DATA_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_is_clean_under_the_deploy_checks(tmp_path: Path) -> None:
    done = check(tmp_path, "--deploy", "--fail-level", "WARNING", **GOOD)
    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"DEBUG": "1"}, "Production refuses DEBUG"),
        ({"SECRET_KEY": "development-key-that-production-refuses"}, "the development key"),
        ({"FIELD_KEYS": ""}, "FIELD_KEYS is not set"),
        ({"DATABASE_URL": "sqlite:///x.db"}, "must name a PostgreSQL database"),
        ({"FIELD_KEYS": "k1:short"}, "FIELD_KEYS must be"),
        ({"NOTIFYHUB_TICK_SECONDS": "soon"}, "NOTIFYHUB_TICK_SECONDS"),
        ({"NOTIFYHUB_TICK_SECONDS": "0"}, "NOTIFYHUB_TICK_SECONDS"),
        ({"NOTIFYHUB_LEASE_SECONDS": "-5"}, "NOTIFYHUB_LEASE_SECONDS"),
        ({"TIME_ZONE": "Mars/Olympus"}, "Mars/Olympus"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"PUBLIC_URL": "hub.example"}, "PUBLIC_URL"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    done = check(tmp_path, **{**GOOD, **change})
    assert done.returncode != 0
    assert sentence in done.stderr.strip().splitlines()[-1]


def test_a_secret_may_change_without_ending_sessions(tmp_path: Path) -> None:
    done = check(tmp_path, **GOOD, SECRET_KEY_FALLBACKS="old-one,older-one")
    assert done.returncode == 0, done.stderr
