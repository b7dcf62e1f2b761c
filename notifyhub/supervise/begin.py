"""The first thing ./run and ./test do, on whatever Python the machine has.

Reads the options, makes `.venv`, installs what is pinned, then becomes the program inside it. It imports the
standard library only, since nothing else is there yet.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).resolve().parent.parent.parent
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
SPACE_FOR_PACKAGES = 700 * 2**20
HELP = """\
./run starts NotifyHub with everything it needs; Ctrl-C stops it, and the data stays for the next start.

  --port N   listen on this port of 127.0.0.1 (default 8000)
  --empty    do not load demo data into an empty database
  --help     show this

DATABASE_URL and BROKER_URL name servers of your own; NOTIFYHUB_DATA_DIR moves the data folder (default: var).
"""


class Refusal(Exception):
    """One sentence for the person; the start ends with it."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What ./run was asked for."""

    port: int = 8000
    empty: bool = False


def read_options(words: list[str]) -> Options:
    """The options of ./run; ends the program after --help, or with one sentence for a wrong one."""
    port, empty = 8000, False
    rest = list(words)
    while rest:
        word, _, value = rest.pop(0).partition("=")
        if word in ("--help", "-h"):
            print(HELP, end="")
            sys.exit(0)
        elif word == "--empty" and not value:
            empty = True
        elif word == "--port":
            value = value or (rest.pop(0) if rest else "")
            if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
                leave("--port needs a number from 1 to 65535, such as --port 8080.")
            port = int(value)
        else:
            leave(f"./run does not know {word!r}; ./run --help shows what it knows.")
    return Options(port=port, empty=empty)


def leave(sentence: str, code: int = 2) -> NoReturn:
    """End the program with one sentence on standard error."""
    print(sentence, file=sys.stderr)
    sys.exit(code)


def main(what: str, words: list[str]) -> NoReturn:
    """Prepare the virtual environment and become the program in it."""
    if what == "run":
        read_options(words)
    if folder := os.environ.get("NOTIFYHUB_DATA_DIR"):
        os.environ["NOTIFYHUB_DATA_DIR"] = os.path.abspath(folder)
    os.chdir(PROJECT)
    os.environ.pop("PYTHONHOME", None)
    try:
        prepare(what)
    except Refusal as refusal:
        leave(str(refusal), code=1)
    except KeyboardInterrupt:
        leave("Stopped before the installation was complete; the next start takes it up again.", code=130)
    except OSError as error:
        leave(f"The virtual environment in {VENV} could not be made: {error.strerror or error}.", code=1)
    module = "notifyhub.supervise" if what == "run" else "notifyhub.supervise.testing"
    os.execv(PYTHON, [str(PYTHON), "-m", module, *words])


def prepare(what: str) -> None:
    """Make `.venv` complete for ./run or ./test; nearly free when it is already."""
    if is_complete(what):
        return
    check_platform()
    with alone():
        if is_complete(what):  # while we waited for another start to finish the same work
            return
        if not _venv_works():
            make_venv()
        install(what)


def is_complete(what: str) -> bool:
    """Whether the packages pinned today were installed to the end into this very `.venv`."""
    stamp = _stamp(what)
    return os.access(PYTHON, os.X_OK) and stamp.exists() and stamp.read_text() == wanted(what)


def wanted(what: str) -> str:
    """What the stamp should say: a digest of the pins and of the Python below `.venv`."""
    files = [PROJECT / "requirements.txt"] + [PROJECT / "requirements-dev.txt"] * (what == "test")
    digest = hashlib.sha256()
    for file in (*files, VENV / "pyvenv.cfg"):
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


def _stamp(what: str) -> Path:
    return VENV / f".installed-for-{what}"


def check_platform() -> None:
    """Refuse a machine on which some pinned package has no wheel."""
    system, machine = platform.system(), platform.machine().lower()
    known = {"Linux": ("x86_64", "aarch64"), "Darwin": ("arm64",)}
    fits = machine in known.get(system, ())
    if fits and system == "Linux":
        library, version = platform.libc_ver()
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        fits = library == "glibc" and numbers >= (2, 28)
    if not fits:
        found = " ".join(platform.libc_ver()).strip() or "another C library"
        raise Refusal(
            "NotifyHub runs on Linux with glibc 2.28 or newer (x86_64, aarch64) and on macOS "
            f"(Apple silicon); this is {system} {machine} with {found}."
        )


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the project folder while installing: ./run and ./test may be started at the same time."""
    fd = os.open(PROJECT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another start is installing packages; waiting for it.", flush=True)
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _venv_works() -> bool:
    if not os.access(PYTHON, os.X_OK) or not (VENV / "pyvenv.cfg").exists():
        return False
    return subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0


def make_venv() -> None:
    """Make `.venv` new, over whatever half of one is there."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise Refusal(
                f"This Python {version} comes without {module}, which ./run needs to install packages: "
                f"on Debian or Ubuntu, apt install python{version}-venv (or python3-venv), then start again."
            )
    free = shutil.disk_usage(PROJECT).free
    if free < SPACE_FOR_PACKAGES:
        needed = SPACE_FOR_PACKAGES // 2**20
        raise Refusal(f"The disk of {PROJECT} has {free // 2**20} MB left; the packages need {needed} MB.")
    print(f"Making a virtual environment in {VENV} with Python {platform.python_version()}.", flush=True)
    # Never the Python inside `.venv`, which --clear would pull from under itself.
    base = getattr(sys, "_base_executable", None) or sys.executable
    done = subprocess.run([base, "-m", "venv", "--clear", str(VENV)])
    if done.returncode != 0:
        raise Refusal("Python could not make the virtual environment; its lines above say why.")


def install(what: str) -> None:
    """Install what is pinned, and leave the stamp last, so that a broken installation is done again."""
    name = "requirements.txt" if what == "run" else "requirements-dev.txt"
    print(f"Installing the packages of {name}; the first time this takes a minute or two.", flush=True)
    flags = ["--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    if subprocess.run([str(PYTHON), "-m", "pip", "install", *flags, "-r", name]).returncode != 0:
        raise Refusal(
            "The packages could not be installed; the lines of pip above say why. "
            "Nothing is lost: mend that (network, disk, package index) and start again."
        )
    for each in ["run"] if what == "run" else ["run", "test"]:
        _stamp(each).write_text(wanted(each))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
