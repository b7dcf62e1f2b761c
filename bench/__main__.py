"""`bench/run`: gives the harness its servers and a database, and takes the database away again.

The harness is a process of its own, so that whatever happens to it the database is dropped.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.database import Scratch
from bench.options import read_options
from notifyhub.supervise.broker import Valkey
from notifyhub.supervise.child import guarded
from notifyhub.supervise.children import Children, StopAsked
from notifyhub.supervise.database import SETTINGS, Postgres
from notifyhub.supervise.folder import PROJECT, new_secret
from notifyhub.supervise.problems import CannotStart, sentence_for
from notifyhub.supervise.terminal import Terminal

# As durable as ./run keeps it, with the memory that a machine of its own would give.
DURABLE = SETTINGS | {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "200"}
FIXED = {
    "DJANGO_SETTINGS_MODULE": "bench.settings",
    "NOTIFYHUB_ALLOW_RECIPIENTS": "*",
    # With DEBUG on, Django keeps every statement in memory.
    "DEBUG": "0",
    "PRODUCTION": "0",
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "PYTHONUNBUFFERED": "1",
}


def main(words: list[str]) -> int:
    """Run the harness; return its exit code."""
    read_options(words)
    terminal = Terminal()
    children = Children(terminal)
    children.listen()
    home = Path(tempfile.mkdtemp(prefix="notifyhub-bench-"))
    postgres = None
    try:
        env = (
            {"NOTIFYHUB_DATA_DIR": str(home / "data"), "PUBLIC_URL": "https://hub.example"}
            | os.environ
            | FIXED
        )
        for name in ("SECRET_KEY", "FIELD_KEYS"):
            env.setdefault(name, new_secret(name))
        if "DATABASE_URL" not in env:
            postgres = Postgres(home=home / "postgres", env=env, settings=DURABLE)
            postgres.start(children, database="notifyhub")
            env["DATABASE_URL"] = postgres.url("notifyhub")
        if "BROKER_URL" not in env:
            broker = Valkey(home=home / "valkey", env=env, keep=False)
            broker.start(children)
            env["BROKER_URL"] = broker.url
        with Scratch(env["DATABASE_URL"]) as scratch:
            return run_harness(words, env | {"DATABASE_URL": scratch.url}, children)
    except StopAsked:
        return 130
    except CannotStart as problem:
        terminal.say(str(problem))
        return 1
    except OSError as error:
        terminal.say(sentence_for(error))
        return 1
    finally:
        for child in children.known:
            child.quiet = True
        children.stop(list(children.known), seconds=10)
        if postgres is not None:
            postgres.cleanup()
        shutil.rmtree(home, ignore_errors=True)


def run_harness(words: list[str], env: dict[str, str], children: Children) -> int:
    """Run the harness to its end, also when somebody asks it to stop; return its exit code."""
    command = guarded([sys.executable, "-m", "bench.harness", *words], signal.SIGTERM)
    process = subprocess.Popen(command, cwd=PROJECT, env=env, start_new_session=True)
    try:
        children.wait_until(lambda: process.poll() is not None, seconds=float("inf"))
    except StopAsked:
        # It prints what it has and stops its own processes.
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
