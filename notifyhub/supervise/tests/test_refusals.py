"""A start that cannot go on says why in one sentence."""

import os
import socket
from pathlib import Path

import pytest

from notifyhub.supervise.folder import DataFolder
from notifyhub.supervise.tests.running import Run

pytestmark = pytest.mark.processes


def refusal_of(data_folder: Path, *arguments: str, **env: str) -> str:
    """The last line of a start that ends with an error."""
    run = Run(data_folder, *arguments, **env)
    try:
        assert run.process.wait(timeout=90) in (1, 2)
    finally:
        run.end()
    assert "Traceback" not in run.log
    return run.log.splitlines()[-1]


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        sentence = refusal_of(tmp_path / "data", "--port", str(port))

    assert sentence.startswith(f"Port {port} is taken by another program")


def test_an_unknown_option(tmp_path: Path) -> None:
    assert "does not know '--bogus'" in refusal_of(tmp_path / "data", "--bogus")


def test_a_file_in_place_of_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")

    assert "it is a file" in refusal_of(tmp_path / "data")


def test_data_of_another_postgresql(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.postgres.mkdir(parents=True)
    (folder.postgres / "PG_VERSION").write_text("12\n")
    folder.write_env({"FIELD_KEYS": "k1:kept"})

    assert "belongs to PostgreSQL 12" in refusal_of(folder.path)


def test_lost_field_keys(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.postgres.mkdir(parents=True)

    assert "has no FIELD_KEYS any more" in refusal_of(folder.path)


def test_a_broker_url_that_means_nothing(tmp_path: Path) -> None:
    sentence = refusal_of(
        tmp_path / "data", DATABASE_URL=os.environ["DATABASE_URL"], BROKER_URL="pigeon://roof"
    )

    assert sentence.startswith("BROKER_URL cannot be understood")
