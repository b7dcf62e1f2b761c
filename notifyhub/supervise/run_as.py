"""As whom PostgreSQL runs: it refuses root, and initdb refuses a user without a name."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

from notifyhub.supervise.problems import CannotStart

#: A user that every system has a name for.
NOBODY = 65534


def words_to_run_as(home: Path, *, server: Path) -> tuple[str, ...]:
    """Words to put before a command of the server, so that it runs as somebody it accepts; often none.

    A user namespace keeps the files of `home` ours, and lends a name to a user who has none, as is usual in
    containers. Where it is forbidden, the server runs as another user that may pass through root's folders.
    """
    me = os.geteuid()
    if me != 0 and _has_a_name(me):
        return ()
    owner = home.stat().st_uid if home.exists() else me
    namespace = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
    if owner == me and _works(namespace, server):
        return namespace
    if me != 0:
        raise CannotStart(
            f"PostgreSQL asks for the name of user {me}, who has none on this machine: "
            "start as a user with a name, or set DATABASE_URL to a server of yours."
        )
    uid = owner or NOBODY
    gid = home.stat().st_gid if owner else NOBODY
    caps = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--")
    user = ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *caps)
    if not _works(user, server):
        raise CannotStart(
            "PostgreSQL does not run as root, and neither unshare nor setpriv (util-linux) can start it as "
            "somebody else: start as an ordinary user, or set DATABASE_URL to a server of yours."
        )
    if owner == 0 and home.exists():
        _give_away(home, uid, gid)
    return user


def _works(prefix: tuple[str, ...], server: Path) -> bool:
    # Both must be within reach for that user: the guard's Python, and the server.
    needed = ([sys.executable, "-I", "-S", "-c", "pass"], [str(server), "--version"])
    try:
        runs = [subprocess.run([*prefix, *words], capture_output=True) for words in needed]
    except FileNotFoundError:
        return False
    return all(run.returncode == 0 for run in runs)


def _has_a_name(uid: int) -> bool:
    try:
        return bool(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return False


def _give_away(folder: Path, uid: int, gid: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)
