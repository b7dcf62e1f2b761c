"""./run before its virtual environment exists, tried on a project of three files."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from notifyhub.supervise.begin import Options, read_options
from notifyhub.supervise.folder import PROJECT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with our ./run, nothing to install, and a program that says that it started."""
    home = tmp_path / "pro ject é"
    supervise = home / "notifyhub" / "supervise"
    supervise.mkdir(parents=True)
    for name in ("run", "notifyhub/supervise/begin.sh", "notifyhub/supervise/begin.py"):
        shutil.copy(PROJECT / name, home / name)
    (home / "notifyhub" / "__init__.py").touch()
    (supervise / "__init__.py").touch()
    (supervise / "__main__.py").write_text("import sys; print('started with', sys.argv[1:])")
    (home / "requirements.txt").touch()
    return home


def run(project: Path, *arguments: str, **env: str) -> tuple[int, str]:
    """Exit code and output of ./run, without any standard input and from a foreign folder."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" <&-', str(project / "run"), *arguments],
        cwd="/",
        env=dict(os.environ) | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.processes
def test_it_installs_once_and_again_after_a_broken_installation(project: Path) -> None:
    requirements = project / "requirements.txt"
    requirements.write_text("./absent\n")
    code, output = run(project)
    assert code == 1
    assert output.splitlines()[-1].startswith("The packages could not be installed")

    requirements.write_text("# nothing\n")
    code, output = run(project, "--port", "8001")
    assert "Making a virtual environment" not in output
    assert "Installing the packages" in output
    assert output.endswith("started with ['--port', '8001']\n")

    assert run(project) == (0, "started with []\n")

    (project / ".venv" / "bin" / "python").unlink()
    code, output = run(project)
    assert "Making a virtual environment" in output
    assert output.endswith("started with []\n")


def test_it_needs_a_python_and_says_which(project: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "dirname"):
        (tools / name).symlink_to(str(shutil.which(name)))

    code, output = run(project, PATH=str(tools), PYTHON="")

    assert code == 1
    assert output.startswith("NotifyHub needs Python 3.11 or newer and found none")


def test_it_reads_its_options() -> None:
    assert read_options([]) == Options(port=8000, empty=False)
    assert read_options(["--port=8080", "--empty"]) == Options(port=8080, empty=True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--port"], "--port needs a number"),
        (["--port", "0"], "--port needs a number"),
        (["--port", "²"], "--port needs a number"),
        (["--empty=yes"], "does not know '--empty"),
        (["8080"], "does not know '8080'"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refusal:
        read_options(words)

    error = capsys.readouterr().err
    assert refusal.value.code == 2
    assert sentence in error
    assert error.count("\n") == 1


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_options(["--help"])

    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--port", "--empty", "NOTIFYHUB_DATA_DIR"))
