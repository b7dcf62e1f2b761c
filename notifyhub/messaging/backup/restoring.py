"""Restoring a backup: all of it in one transaction, together with the halt on what is overdue."""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import IO

from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from psycopg import sql

from notifyhub.core import crypto
from notifyhub.core.errors import Refused
from notifyhub.customers.models import ContactPoint
from notifyhub.messaging.backup.archive import HEAD, Manifest, check_whole, chunks, read_manifest
from notifyhub.messaging.backup.tools import Tools, environment, find_tools, last_words, server_major
from notifyhub.messaging.services.halts import count_overdue, held_before
from notifyhub.staff.services import audit

ASIDE = "notifyhub_replaced"

_TABLES = (
    "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
)
_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_EXTENSIONS = "SELECT extname FROM pg_extension WHERE extnamespace = 'public'::regnamespace"

# In the transaction that loads the data, so that no worker can see the one without the other. Signs of life
# and leases are the lost house's; a tick lease kept would hold the tick back until it ran out.
_AFTER = """
INSERT INTO public.messaging_halt (scope, value, reason, placed_by, placed_at, lifted_by)
VALUES ('restored', '', {reason}, 'restore', clock_timestamp(), '')
ON CONFLICT (scope, value) WHERE lifted_at IS NULL
DO UPDATE SET reason = excluded.reason, placed_by = excluded.placed_by, placed_at = excluded.placed_at;
DELETE FROM public.staff_nodebeat;
UPDATE public.staff_ticklease SET owner = '', until = NULL;
"""


def restore_backup(*, path: Path, replace: bool, tell: Callable[[str], object]) -> int:
    """Load the backup into the database; return how many messages are held back as overdue.

    All or nothing: whatever fails leaves the database as it was. Refused for a damaged file, for other
    FIELD_KEYS than it was made with, for a newer version's backup, for a database that is not empty
    (unless `replace`), and while anything is connected to it.
    """
    try:
        with path.open("rb") as file:
            manifest = read_manifest(file)
    except OSError as error:
        raise Refused(_("%(path)s cannot be read: %(error)s") % {"path": path, "error": error}) from None
    _check_keys(manifest)
    _check_version(manifest)
    _check_target(replace=replace)
    tools = find_tools(at_least=max(manifest.server_major, server_major()))
    tell(_("Checking the file."))
    check_whole(path, manifest)
    before, after = _statements(manifest, replace=replace)
    _load(path, manifest, tools, [before, after], tell)
    tell(_("Bringing it up to this version, and gathering statistics."))
    call_command("migrate", interactive=False, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    _check_readable()
    audit.record(
        verb="restore_backup",
        object_type="backup",
        label=path.name,
        made_at=manifest.created_at,
        replaced=replace,
    )
    moment = held_before()
    return count_overdue(before=moment) if moment else 0


def _check_keys(manifest: Manifest) -> None:
    own = crypto.fingerprints()
    missing = [name for name, print_ in manifest.keys.items() if own.get(name) != print_]
    if missing:
        raise Refused(
            _(
                "Personal data in this backup is encrypted with other FIELD_KEYS (%(keys)s). Set the keys it "
                "was made with; without them it stays unreadable."
            )
            % {"keys": ", ".join(missing)}
        )
    if list(manifest.keys)[-1:] != list(own)[-1:]:
        raise Refused(_("The last of FIELD_KEYS keys the look-ups and must be the same as in the backup."))


def _check_version(manifest: Manifest) -> None:
    loader = MigrationLoader(None)
    known = {f"{app}.{name}" for app, name in loader.disk_migrations}
    unknown = [name for name in manifest.migrations if name not in known]
    if unknown:
        raise Refused(
            _("A newer NotifyHub made this backup (%(names)s). Restore it with that version.")
            % {"names": ", ".join(unknown[:5])}
        )
    if server_major() < manifest.server_major:
        raise Refused(
            _("This backup comes from PostgreSQL %(major)d; the server here is older.")
            % {"major": manifest.server_major}
        )


def _check_target(*, replace: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = cursor.fetchone()[0]
        cursor.execute(_OTHERS)
        others = cursor.fetchone()[0]
    if tables and not replace:
        raise Refused(
            _(
                "The database is not empty. Name an empty one in DATABASE_URL, or say --replace to "
                "lose what it holds."
            )
        )
    if others:
        raise Refused(
            ngettext(
                "%(n)d connection is open to this database. Stop web, workers and beat first.",
                "%(n)d connections are open to this database. Stop web, workers and beat first.",
                others,
            )
            % {"n": others}
        )


def _statements(manifest: Manifest, *, replace: bool) -> tuple[str, str]:
    """Return what runs before and after the load, in its transaction."""
    reason = sql.Literal(_("Backup of %(at)s") % {"at": manifest.created_at[:16].replace("T", " ")})
    after = sql.SQL(_AFTER).format(reason=reason).as_string(None)
    if not replace:
        return "", after
    with connection.cursor() as cursor:
        cursor.execute(_EXTENSIONS)
        names = [row[0] for row in cursor.fetchall()]
    aside = sql.Identifier(ASIDE)
    parts = [
        sql.SQL("SET LOCAL lock_timeout = '30s'"),
        sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(aside),
        sql.SQL("ALTER SCHEMA public RENAME TO {}").format(aside),
        sql.SQL("CREATE SCHEMA public"),
        *(sql.SQL("ALTER EXTENSION {} SET SCHEMA public").format(sql.Identifier(name)) for name in names),
    ]
    before = sql.SQL("; ").join(parts).as_string(None)
    return before, after + sql.SQL("DROP SCHEMA {} CASCADE").format(aside).as_string(None)


def _load(
    path: Path, manifest: Manifest, tools: Tools, statements: list[str], tell: Callable[[str], object]
) -> None:
    before, after = statements
    read = [tools.path("pg_restore"), "--no-owner", "--no-privileges", "--no-comments", "--file=-"]
    write = [tools.path("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"]
    write += [*(["-c", before] if before else []), "-f", "-", "-c", after]
    # Our own connection must not hold what the load needs.
    connection.close()
    if hasattr(connection, "close_pool"):
        connection.close_pool()
    env = environment()
    with tempfile.TemporaryFile() as errors, path.open("rb") as file:
        file.seek(HEAD)
        reader = subprocess.Popen(read, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        writer = subprocess.Popen(
            write, env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        )
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert writer.stdin is not None
        feeder = Thread(target=_feed, args=(file, reader.stdin, manifest.size, tell), daemon=True)
        feeder.start()
        try:
            whole = _pump(reader, writer)
        finally:
            for process in (reader, writer):
                if process.poll() is None:
                    process.kill()
                process.wait()
            feeder.join()
            for pipe in (reader.stdout, writer.stdin):
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if not whole:
            errors.seek(0)
            raise Refused(
                _("The backup could not be loaded, and nothing was changed: %(error)s")
                % {"error": last_words(errors.read())}
            )


def _pump(reader: subprocess.Popen[bytes], writer: subprocess.Popen[bytes]) -> bool:
    """Pass on what the reader says; say whether both did all they had to.

    The writer learns of the end only after the reader ended well: an end of input is a commit.
    """
    assert reader.stdout is not None
    assert writer.stdin is not None
    try:
        for data in chunks(reader.stdout):
            writer.stdin.write(data)
        if reader.wait() != 0:
            return False
        writer.stdin.close()
    except BrokenPipeError:
        return False
    return writer.wait() == 0


def _feed(file: IO[bytes], pipe: IO[bytes], total: int, tell: Callable[[str], object]) -> None:
    done = shown = 0
    with contextlib.suppress(BrokenPipeError), pipe:
        for data in chunks(file):
            pipe.write(data)
            done += len(data)
            percent = done * 100 // max(total, 1)
            if percent >= shown + 10:
                shown = percent
                tell(_("%(percent)d%% read") % {"percent": percent})


def _check_readable() -> None:
    """Raise Refused if the personal data that was loaded cannot be decrypted here."""
    try:
        for contact in ContactPoint.objects.order_by("pk")[:5]:
            str(contact.value)
    except crypto.Undecryptable:
        raise Refused(
            _("The backup is loaded, but its personal data cannot be read with these FIELD_KEYS.")
        ) from None
