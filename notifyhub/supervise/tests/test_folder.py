"""The data folder and its env file."""

import base64
import stat
from pathlib import Path

import pytest

from notifyhub.supervise.folder import DataFolder, new_secret
from notifyhub.supervise.login import frame_of
from notifyhub.supervise.problems import CannotStart


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    for name in ("SECRET_KEY", "FIELD_KEYS"):
        monkeypatch.delenv(name, raising=False)
    folder = DataFolder(tmp_path / "data")
    folder.open()
    return folder


def test_it_makes_secrets_once_and_keeps_what_a_person_added(folder: DataFolder) -> None:
    folder.keep_secrets()
    first = folder.read_env()
    folder.write_env({"PUBLIC_URL": "https://hub.example"})
    folder.keep_secrets()

    assert folder.read_env() == first | {"PUBLIC_URL": "https://hub.example"}
    assert stat.S_IMODE(folder.env_file.stat().st_mode) == 0o600


def test_it_invents_no_secret_that_the_environment_has(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "given")
    folder.keep_secrets()

    assert list(folder.read_env()) == ["FIELD_KEYS"]


def test_it_refuses_new_field_keys_beside_old_data(folder: DataFolder) -> None:
    folder.keep_secrets()
    folder.postgres.mkdir()
    folder.env_file.unlink()

    with pytest.raises(CannotStart, match="has no FIELD_KEYS any more"):
        folder.keep_secrets()


def test_a_field_key_is_an_id_and_32_bytes() -> None:
    name, _, key = new_secret("FIELD_KEYS").partition(":")

    assert (name, len(base64.b64decode(key))) == ("k1", 32)


def test_the_account_is_shown_only_while_nobody_was_told(tmp_path: Path) -> None:
    file = tmp_path / "first-login"
    file.write_text('{"username": "admin", "password": "a-b-c"}')
    shown = dict(frame_of(file, address="http://127.0.0.1:8000"))
    file.unlink()
    later = dict(frame_of(file, address="http://127.0.0.1:8000"))

    assert shown["Account"] == "admin"
    assert shown["Password"].startswith("a-b-c ")
    assert set(later) == {"NotifyHub runs at", "Stop with"}
