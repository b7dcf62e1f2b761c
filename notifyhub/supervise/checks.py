"""What ./test looks at besides the tests: style, types, layers, migrations, catalogues."""

import gettext
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from notifyhub.supervise.folder import PROJECT

COMMANDS = {
    "style": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "layers": ["lint-imports"],
    "migrations": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
    "types": ["mypy", *("notifyhub", "campaigns", "feedback")],
}


@dataclass(frozen=True)
class Outcome:
    """How one check ended; `report` is what a person needs to mend it."""

    name: str
    passed: bool
    report: str


def run_checks(env: Mapping[str, str]) -> Iterator[Outcome]:
    """Each check's outcome in turn, while the rest still run beside it."""
    scripts = Path(sys.executable).parent
    running = []
    for name, (program, *words) in COMMANDS.items():
        path = program if os.path.isabs(program) else str(scripts / program)
        running.append((name, _start([path, *words], env)))
    try:
        for name, process in running:
            output, _ = process.communicate()
            yield Outcome(name, process.returncode == 0, output.strip())
    finally:
        for _, process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
    yield catalogue_outcome()


def _start(command: list[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=PROJECT,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def catalogue_outcome() -> Outcome:
    """Whether each compiled catalogue says what its source says; passes where gettext is not installed."""
    if shutil.which("msgfmt") is None:
        return Outcome("catalogues", True, "not looked at: gettext is not installed")
    faults = [
        fault for source in sorted(PROJECT.glob("locale/**/*.po")) if (fault := catalogue_fault(source))
    ]
    return Outcome("catalogues", not faults, "\n".join(faults))


def catalogue_fault(source: Path) -> str:
    """What is wrong with one catalogue, in a line or a few; empty when nothing is."""
    where = os.path.relpath(source, PROJECT)
    compiled = source.with_suffix(".mo")
    with tempfile.NamedTemporaryFile(suffix=".mo") as fresh:
        done = subprocess.run(["msgfmt", "--check", "-o", fresh.name, source], capture_output=True, text=True)
        if done.returncode != 0:
            return done.stderr.strip()
        if not compiled.exists():
            return f"{where} was never compiled: python manage.py compilemessages"
        if _messages(compiled) != _messages(Path(fresh.name)):
            return f"{where} was changed after it was compiled: python manage.py compilemessages"
    return ""


def _messages(compiled: Path) -> dict[object, str]:
    with open(compiled, "rb") as file:
        catalogue = gettext.GNUTranslations(file)
    return {key: text for key, text in vars(catalogue)["_catalog"].items() if key != ""}
