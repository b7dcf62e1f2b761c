"""Fingerprints that say whether work of an earlier start still stands."""

import contextlib
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from notifyhub.supervise.folder import PROJECT

PACKAGES = ("notifyhub", "campaigns", "feedback")


def fingerprint(paths: Iterable[Path], *words: str) -> str:
    """One short text that changes when a file, its name or one of the words changes."""
    digest = hashlib.sha256(sys.version.encode())
    for word in words:
        digest.update(word.encode() + b"\0")
    for path in sorted(paths):
        digest.update(str(path.relative_to(PROJECT)).encode(errors="surrogateescape") + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def code_fingerprint(database_url: str, *, place: str) -> str:
    """Changes with our code, the pinned packages, the database's place, or the migrations it has seen."""
    files = [path for package in PACKAGES for path in (PROJECT / package).rglob("*.py")]
    files = [path for path in files if "tests" not in path.parts]
    return fingerprint([*files, PROJECT / "requirements.txt"], place, _seen_migrations(database_url))


def static_fingerprint() -> str:
    """Changes with the files that browsers get."""
    folders = [PROJECT / "static", *PROJECT.glob("*/static"), *PROJECT.glob("notifyhub/*/static")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return fingerprint([*files, PROJECT / "requirements.txt", PROJECT / "notifyhub" / "settings.py"])


def _seen_migrations(database_url: str) -> str:
    import psycopg

    query = "SELECT md5(string_agg(app || '.' || name, ',' ORDER BY id)) FROM django_migrations"
    with contextlib.suppress(psycopg.Error), psycopg.connect(database_url, connect_timeout=5) as connection:
        row = connection.execute(query).fetchone()
        return str(row[0]) if row else ""
    return ""
