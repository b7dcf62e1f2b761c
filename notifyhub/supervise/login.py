"""The words after a start: where NotifyHub is and, once, who may sign in."""

import json
from pathlib import Path


def frame_of(first_login: Path, *, address: str) -> list[tuple[str, str]]:
    """Label and value pairs; with account and password only while nobody has been told them yet."""
    rows = [("NotifyHub runs at", f"{address}/admin/")]
    if first_login.exists():
        made = json.loads(first_login.read_text())
        rows.append(("Account", made["username"]))
        rows.append(("Password", f"{made['password']}   (shown only now; change it after signing in)"))
    rows.append(("Stop with", "Ctrl-C; your data stays"))
    return rows
