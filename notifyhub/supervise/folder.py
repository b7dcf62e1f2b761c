"""The data folder: everything ./run keeps, in one place."""

import base64
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from notifyhub.supervise.problems import CannotStart

PROJECT = Path(__file__).resolve().parent.parent.parent
SPACE_FOR_A_FIRST_START = 300 * 2**20
SPACE_FOR_A_LATER_START = 50 * 2**20
SECRETS = ("SECRET_KEY", "FIELD_KEYS")


class DataFolder:
    """Paths in the data folder, and its `env` file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env_file = path / "env"
        self.run_lock = path / "run.lock"
        self.children_lock = path / "children.lock"
        self.postgres = path / "postgres"
        self.valkey = path / "valkey"
        self.first_login = path / "first-login"
        self.stamps = path / "stamps"

    @classmethod
    def chosen(cls) -> "DataFolder":
        """The folder named in NOTIFYHUB_DATA_DIR, else `var` in the project."""
        return cls(Path(os.environ.get("NOTIFYHUB_DATA_DIR") or PROJECT / "var").absolute())

    def open(self) -> None:
        """Make the folder if it is absent; refuse one that cannot be used."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.stamps.mkdir(mode=0o700, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise CannotStart(f"{self.path} should be a folder for the data, but it is a file.") from None
        except PermissionError:
            raise CannotStart(self._not_writable()) from None
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise CannotStart(self._not_writable())
        needed = SPACE_FOR_A_LATER_START if self.postgres.exists() else SPACE_FOR_A_FIRST_START
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise CannotStart(
                f"The disk of {self.path} has {free // 2**20} MB left and {needed // 2**20} MB are needed: "
                "free some space, or set NOTIFYHUB_DATA_DIR to a folder on another disk."
            )

    def _not_writable(self) -> str:
        return (
            f"This user may not write in the data folder {self.path}: "
            "start as the user it belongs to, or set NOTIFYHUB_DATA_DIR to another folder."
        )

    def read_env(self) -> dict[str, str]:
        """The variables in the `env` file; empty when there is none yet."""
        if not self.env_file.exists():
            return {}
        lines = self.env_file.read_text(encoding="utf-8").splitlines()
        pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
        return {key.strip(): value.strip() for key, value in pairs}

    def write_env(self, changes: Mapping[str, str]) -> None:
        """Change these variables in the `env` file and keep all others."""
        values = self.read_env() | dict(changes)
        head = "# Written by ./run. SECRET_KEY and FIELD_KEYS open your data: keep a copy in a safe place.\n"
        write_private(self.env_file, head + "".join(f"{key}={value}\n" for key, value in values.items()))

    def keep_secrets(self) -> None:
        """Make the keys that neither the environment nor the `env` file has; never replace one."""
        known = self.read_env()
        missing = [name for name in SECRETS if not (os.environ.get(name) or known.get(name))]
        if "FIELD_KEYS" in missing and self.postgres.exists():
            raise CannotStart(
                f"{self.env_file} has no FIELD_KEYS any more, and without them the personal data in "
                f"{self.postgres} cannot be read: put the file back, or set FIELD_KEYS in the environment."
            )
        self.write_env({name: new_secret(name) for name in missing})


def new_secret(name: str) -> str:
    """A fresh value for SECRET_KEY or FIELD_KEYS."""
    if name == "FIELD_KEYS":
        return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(48)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
