"""The file of a backup: one page that says what it is, then what pg_dump wrote, as it wrote it.

The page is 4096 bytes, so `tail -c +4097 FILE` is an archive for pg_restore even without NotifyHub.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused

HEAD = 4096
MAGIC = b"NotifyHub backup 1\n"
CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup says of itself. `keys` are fingerprints of FIELD_KEYS by id, newest first."""

    created_at: str
    server_major: int
    size: int = 0
    sha256: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    migrations: list[str] = field(default_factory=list)

    def page(self) -> bytes:
        """Return it as the first page of the file."""
        facts = asdict(self)
        # The newest migration of each app says which version this is; all of them would not fit.
        text = MAGIC + json.dumps(facts).encode()
        if len(text) >= HEAD:
            raise ValueError("The manifest does not fit its page.")
        return text.ljust(HEAD - 1) + b"\n"


def read_manifest(file: IO[bytes]) -> Manifest:
    """Return what the file says of itself; Refused for anything that is no backup of ours."""
    page = file.read(HEAD)
    try:
        if not page.startswith(MAGIC) or len(page) != HEAD:
            raise ValueError
        return Manifest(**json.loads(page[len(MAGIC) :]))
    except (ValueError, TypeError):
        raise Refused(_("This file is no backup that NotifyHub made.")) from None


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of the file, a megabyte at a time."""
    while data := file.read(CHUNK):
        yield data


def check_whole(path: Path, manifest: Manifest) -> None:
    """Raise Refused unless the file is as long as it was and bears the same checksum."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        file.seek(HEAD)
        for data in chunks(file):
            digest.update(data)
            size += len(data)
    if size != manifest.size or digest.hexdigest() != manifest.sha256:
        raise Refused(
            _("This backup is damaged or was cut short: its checksum is not the one it was made with.")
        )
