"""Making a backup: pg_dump's own snapshot, streamed into one private file."""

import contextlib
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core import crypto
from notifyhub.core.errors import Refused
from notifyhub.messaging.backup.archive import HEAD, Manifest, check_whole, chunks
from notifyhub.messaging.backup.tools import Tools, environment, find_tools, last_words, server_major
from notifyhub.staff.services import audit


def newest_migrations() -> list[str]:
    """Return the last applied migration of each app as "app.name"."""
    newest: dict[str, str] = {}
    for app, name in sorted(MigrationRecorder(connection).applied_migrations()):
        newest[app] = max(newest.get(app, ""), name)
    return [f"{app}.{name}" for app, name in newest.items()]


def make_backup(*, path: Path, tell: Callable[[str], object]) -> Manifest:
    """Write the whole database to `path`, readable by its owner only; return what it says of itself.

    Everything goes on meanwhile: the backup is the database as it was at one moment. Refused if the file
    exists, cannot be written, or PostgreSQL's programs are missing or fail; nothing is left behind then.
    """
    if path.exists():
        raise Refused(_("%(path)s exists already; choose another name.") % {"path": path})
    tools = find_tools(at_least=server_major())
    manifest = Manifest(
        created_at=timezone.now().isoformat(),
        server_major=server_major(),
        keys=crypto.fingerprints(),
        migrations=newest_migrations(),
    )
    draft = path.with_name(path.name + ".part")
    try:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Refused(_("%(path)s cannot be written: %(error)s") % {"path": path, "error": error}) from None
    try:
        manifest = _dump(fd, manifest, tools, tell)
        tell(_("Reading it back."))
        check_whole(draft, manifest)
        _check_list(draft, tools)
        draft.rename(path)
    except OSError as error:
        # Here, since a full disk is noticed when the file is closed, too.
        draft.unlink(missing_ok=True)
        raise Refused(_("The backup could not be written: %(error)s") % {"error": error}) from None
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    audit.record(verb="make_backup", object_type="backup", label=path.name, size=manifest.size)
    return manifest


def _dump(fd: int, manifest: Manifest, tools: Tools, tell: Callable[[str], object]) -> Manifest:
    digest, size, told = hashlib.sha256(), 0, 0
    command = [tools.path("pg_dump"), "--format=custom", "--no-owner", "--no-privileges"]
    with os.fdopen(fd, "wb") as file, tempfile.TemporaryFile() as errors:
        file.write(b" " * HEAD)
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=errors) as dump:
            assert dump.stdout is not None
            for data in chunks(dump.stdout):
                digest.update(data)
                size += len(data)
                try:
                    file.write(data)
                except OSError:
                    dump.kill()
                    raise
                if size >= told + (64 << 20):
                    told = size
                    tell(_("%(size)d MB written") % {"size": size >> 20})
        if dump.returncode != 0:
            errors.seek(0)
            raise Refused(_("pg_dump failed: %(error)s") % {"error": last_words(errors.read())})
        manifest = replace(manifest, size=size, sha256=digest.hexdigest())
        file.seek(0)
        file.write(manifest.page())
        file.flush()
        os.fsync(file.fileno())
    return manifest


def _check_list(path: Path, tools: Tools) -> None:
    """Have pg_restore read the table of contents: what it cannot list it could not restore."""
    command = [tools.path("pg_restore"), "--list"]
    with path.open("rb") as file, tempfile.TemporaryFile() as errors:
        file.seek(HEAD)
        listing = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
        assert listing.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            for data in chunks(file):
                listing.stdin.write(data)
        with contextlib.suppress(BrokenPipeError):
            listing.stdin.close()
        if listing.wait() != 0:
            errors.seek(0)
            raise Refused(_("pg_restore cannot read it: %(error)s") % {"error": last_words(errors.read())})
