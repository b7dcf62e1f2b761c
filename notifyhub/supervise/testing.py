"""`python -m notifyhub.supervise.testing`: what ./test becomes once its virtual environment is ready."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from notifyhub.supervise.broker import Valkey
from notifyhub.supervise.checks import run_checks
from notifyhub.supervise.child import guarded
from notifyhub.supervise.children import Children, StopAsked
from notifyhub.supervise.database import THROWAWAY, Postgres
from notifyhub.supervise.folder import PROJECT, new_secret
from notifyhub.supervise.problems import CannotStart, sentence_for
from notifyhub.supervise.terminal import Terminal

#: What somebody may have set for a running NotifyHub and the tests must not see.
NOT_FOR_TESTS = (
    "DEBUG",
    "PRODUCTION",
    "ALLOWED_HOSTS",
    "PUBLIC_URL",
    "SECRET_KEY_FALLBACKS",
    "DJANGO_SETTINGS_MODULE",
)


def main(arguments: list[str]) -> int:
    """Check everything, or run pytest with these arguments; return the exit code."""
    terminal = Terminal()
    children = Children(terminal)
    children.listen()
    home = Path(tempfile.mkdtemp(prefix="notifyhub-test-"))
    servers = Servers(home, children)
    try:
        env = servers.start()
        failed = [] if arguments else check(env, terminal)
        if failed:
            terminal.say(f"Not passed: {', '.join(failed)}. The tests follow; ./test fails either way.")
        code = run_pytest(arguments, env, children)
        return code or (1 if failed else 0)
    except StopAsked:
        return 130
    except CannotStart as problem:
        terminal.say(str(problem))
        return 1
    except OSError as error:
        terminal.say(sentence_for(error))
        return 1
    finally:
        servers.stop()
        shutil.rmtree(home, ignore_errors=True)


class Servers:
    """A PostgreSQL and a Valkey whose data nobody will miss."""

    def __init__(self, home: Path, children: Children) -> None:
        self.home = home
        self.children = children
        self.env = {name: value for name, value in os.environ.items() if name not in NOT_FOR_TESTS}
        self.postgres: Postgres | None = None

    def start(self) -> dict[str, str]:
        """Start both; return the environment in which the tests find them."""
        self.postgres = Postgres(home=self.home / "postgres", env=self.env, settings=THROWAWAY)
        self.postgres.start(self.children, database="notifyhub")
        valkey = Valkey(home=self.home / "valkey", env=self.env, keep=False)
        valkey.start(self.children)
        return self.env | {
            "DATABASE_URL": self.postgres.url("notifyhub"),
            "BROKER_URL": valkey.url,
            "NOTIFYHUB_DATA_DIR": str(self.home / "data"),
            # As ./run has it: production asks for hosts and keys that a throwaway has not.
            "PRODUCTION": "0",
            "SECRET_KEY": new_secret("SECRET_KEY"),
            "FIELD_KEYS": new_secret("FIELD_KEYS"),
        }

    def stop(self) -> None:
        """Stop both."""
        for child in self.children.known:
            child.quiet = True  # the last line is pytest's
        self.children.stop(list(self.children.known), seconds=10)
        if self.postgres is not None:
            self.postgres.cleanup()


def check(env: Mapping[str, str], terminal: Terminal) -> list[str]:
    """Print how each check ends; return the names of those that did not pass."""
    failed = []
    for outcome in run_checks(env):
        terminal.say(f"{outcome.name:<12} {'passed' if outcome.passed else 'NOT PASSED'}")
        if not outcome.passed:
            terminal.say(outcome.report)
            failed.append(outcome.name)
    return failed


def run_pytest(arguments: list[str], env: Mapping[str, str], children: Children) -> int:
    """Run pytest in our own session, so that Ctrl-C and a debugger reach it; return its exit code."""
    command = guarded([sys.executable, "-m", "pytest", *arguments], signal.SIGTERM)
    process = subprocess.Popen(command, cwd=PROJECT, env=dict(env))
    try:
        children.wait_until(lambda: process.poll() is not None, seconds=float("inf"))
    except StopAsked:
        # The terminal sends Ctrl-C to pytest too, and a second one would cut its cleaning up short.
        if not (children.asked_by == signal.SIGINT and os.isatty(0)):
            process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
