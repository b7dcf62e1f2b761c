"""The whole of NotifyHub on one machine: what starts after what, and what stops before what."""

import http.client
import os
import socket
import sys
from collections.abc import Callable

from notifyhub.supervise.begin import Options
from notifyhub.supervise.broker import Valkey
from notifyhub.supervise.child import Child
from notifyhub.supervise.children import Children
from notifyhub.supervise.database import Postgres
from notifyhub.supervise.external import wait_for_broker, wait_for_database
from notifyhub.supervise.folder import DataFolder
from notifyhub.supervise.login import frame_of
from notifyhub.supervise.problems import CannotStart
from notifyhub.supervise.stamps import code_fingerprint, static_fingerprint

HOST = "127.0.0.1"
DATABASE = "notifyhub"
DRAIN_SECONDS = 30


class Stack:
    """Starts in the order of `start`, and stops in the opposite one."""

    def __init__(self, *, options: Options, folder: DataFolder, children: Children) -> None:
        self.options = options
        self.folder = folder
        self.terminal = children.terminal
        self.children = children
        self.address = f"http://{HOST}:{options.port}"
        self.env = os.environ | {
            "NOTIFYHUB_DATA_DIR": str(folder.path),
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
        }
        self.listener: socket.socket | None = None
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        self.workers: list[Child] = []

    def start(self) -> None:
        """Start everything; return when a person can sign in and messages go out."""
        self.listener = listen_on(self.options.port)
        self.folder.keep_secrets()
        self._start_database()
        self._start_broker()
        self._leave_env()
        self._prepare()
        self._start_web(self.listener)
        self._start_workers()
        self._welcome()

    def watch(self) -> None:
        """Keep everything running; only StopAsked ends this."""
        while True:
            self.children.turn(1)

    def stop(self) -> None:
        """Stop everything in order; nothing of it runs afterwards."""
        if self.listener is not None:
            self.listener.close()
        servers = [server.child for server in (self.valkey, self.postgres) if server and server.child]
        others = [child for child in self.children.known if child not in servers]
        self.children.stop(others, seconds=DRAIN_SECONDS)
        for child in servers:
            child.quiet = True
            self.children.stop([child], seconds=10)
        if self.postgres is not None:
            self.postgres.cleanup()

    def _start_database(self) -> None:
        if url := os.environ.get("DATABASE_URL"):
            wait_for_database(self.children, url)
        else:
            self.terminal.say("Starting the database.")
            self.postgres = Postgres(home=self.folder.postgres, env=self.env)
            self.postgres.start(self.children, database=DATABASE)
            url = self.postgres.url(DATABASE)
        self.env["DATABASE_URL"] = url

    def _start_broker(self) -> None:
        if url := os.environ.get("BROKER_URL"):
            wait_for_broker(self.children, url)
        else:
            self.terminal.say("Starting the broker.")
            self.valkey = Valkey(home=self.folder.valkey, env=self.env)
            self.valkey.start(self.children)
            url = self.valkey.url
        self.env["BROKER_URL"] = url

    def _leave_env(self) -> None:
        """Tell settings, here and in a second terminal, what runs now; what a person added stays."""
        changes = {"DATABASE_URL": self.env["DATABASE_URL"], "BROKER_URL": self.env["BROKER_URL"]}
        known = self.folder.read_env()
        if known.get("PUBLIC_URL", f"http://{HOST}:").startswith(f"http://{HOST}:"):
            changes["PUBLIC_URL"] = self.address
        first = {"PRODUCTION": "0", "ALLOWED_HOSTS": f"{HOST},localhost,[::1]"}
        self.folder.write_env(first | known | changes)

    def _prepare(self) -> None:
        database = self._outdated("database", self._code_fingerprint)
        static = self._outdated("static", static_fingerprint)
        words = ["--database"] * database + ["--static"] * static + ["--demo"] * (not self.options.empty)
        if not (database or static):
            return
        command = [sys.executable, "-m", "notifyhub.supervise.prepare", *words]
        command += ["--first-login", str(self.folder.first_login)]
        child = Child(name="prepare", command=command, env=self.env)
        if self.children.run(child) != 0:
            raise CannotStart("NotifyHub could not be prepared; the lines above say why.")
        if database:
            self._stamp("database", self._code_fingerprint())
        if static:
            self._stamp("static", static_fingerprint())

    def _code_fingerprint(self) -> str:
        # Our own server may have its socket elsewhere next time, and is the same database still.
        url = self.env["DATABASE_URL"]
        return code_fingerprint(url, place=url if self.postgres is None else str(self.postgres.home))

    def _outdated(self, name: str, current: Callable[[], str]) -> bool:
        file = self.folder.stamps / name
        return not file.exists() or file.read_text() != current()

    def _stamp(self, name: str, value: str) -> None:
        (self.folder.stamps / name).write_text(value)

    def _start_web(self, listener: socket.socket) -> None:
        # The open socket is handed over: while the web process restarts, a browser waits instead of failing.
        self.terminal.say("Starting the web process.")
        command = [sys.executable, "-m", "gunicorn", "notifyhub.wsgi", "--bind", f"fd://{listener.fileno()}"]
        command += ["--worker-class", "gthread", "--workers", "1", "--threads", "8", "--no-control-socket"]
        command += ["--graceful-timeout", "10", "--timeout", "60", "--log-level", "warning"]
        env = self.env | {"NOTIFYHUB_DB_POOL": os.environ.get("NOTIFYHUB_DB_POOL", "1")}
        web = Child(name="web", command=command, env=env, pass_fds=(listener.fileno(),))
        self.children.start(web)
        if not self.children.wait_until(lambda: not web.running or self._web_answers(), seconds=120):
            raise CannotStart(f"The web process runs, but gives no answer at {self.address}/healthz.")
        if not web.running:
            raise CannotStart("The web process ended at once; its lines above say why.")

    def _web_answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.options.port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _start_workers(self) -> None:
        self.terminal.say("Starting the workers and the clock.")
        celery = [sys.executable, "-m", "celery", "--quiet", "-A", "notifyhub"]
        # Celery thinks ill of root; who starts everything on one machine as root has decided that already.
        env = self.env | {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
        for queue in ("realtime", "bulk", "housekeeping"):
            size = 2 if queue == "bulk" and (os.cpu_count() or 1) > 2 else 1
            command = [*celery, "worker", "-Q", queue, "-n", f"{queue}@%h", "-c", str(size)]
            command += ["--without-gossip", "--without-mingle"]
            self.children.start(Child(name=queue, command=command, env=env))
        beat = [*celery, "beat", "--pidfile="]
        self.children.start(Child(name="beat", command=beat, env=self.env))

    def _welcome(self) -> None:
        self.terminal.frame(frame_of(self.folder.first_login, address=self.address))
        self.folder.first_login.unlink(missing_ok=True)


def listen_on(port: int) -> socket.socket:
    """A socket that listens on this machine's own address; refuses a port somebody else has."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(256)
    except PermissionError:
        raise CannotStart(f"Ports below 1024 are reserved, {port} too: start with --port 8000.") from None
    except OSError:
        raise CannotStart(
            f"Port {port} is taken by another program: stop that one, or start with --port {port + 1}."
        ) from None
    return listener
