"""Files that people upload: kept privately for a day, read by the import's pages and its job."""

import hashlib
import os
import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core.errors import Refused
from notifyhub.customers.models import CustomerImport

MAX_UPLOAD = 300 << 20
KEEP = timedelta(hours=24)
State = CustomerImport.State


def uploads_folder() -> Path:
    """Return the folder of uploads, which only this account may read."""
    folder = Path(settings.DATA_DIR) / "private" / "imports"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@dataclass(frozen=True)
class KeptFile:
    """Where an upload lies, its SHA-256, and how many lines it has, about."""

    path: Path
    sha: str
    lines: int


def keep_file(upload: UploadedFile) -> KeptFile:
    """Write an upload where only this account may read it; raise Refused if it is too large."""
    if (upload.size or 0) > MAX_UPLOAD:
        raise Refused(
            _("The file is larger than %d MB. Use the command for it.") % (MAX_UPLOAD >> 20), field="file"
        )
    path = uploads_folder() / uuid.uuid4().hex
    digest = hashlib.sha256()
    lines = 0
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for block in upload.chunks():
                file.write(block)
                digest.update(block)
                lines += block.count(b"\n")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return KeptFile(path=path, sha=digest.hexdigest(), lines=lines)


def fingerprint_file(path: Path) -> KeptFile:
    """Return what `keep_file` would say of a file that lies where it is."""
    digest = hashlib.sha256()
    lines = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            lines += block.count(b"\n")
    return KeptFile(path=path, sha=digest.hexdigest(), lines=lines)


def file_of(run: CustomerImport) -> Path:
    """Return where the file of an import lies; raise Refused if it is gone."""
    path = Path(run.path)
    if not path.is_file():
        raise Refused(_("The file of this import is gone. Upload it again."))
    return path


def change_draft(*, run_id: int, **changes: Any) -> CustomerImport:
    """Write `changes` into the plan of a draft; return it. Raises Refused once it has started."""
    with transaction.atomic():
        run = CustomerImport.objects.select_for_update().get(pk=run_id)
        if run.state != State.DRAFT:
            raise Refused(_("This import has started already."))
        run.plan = {**run.plan, **changes}
        run.save(update_fields=["plan"])
    return run


def discard_draft(*, run_id: int) -> None:
    """Forget a draft and its file."""
    run = CustomerImport.objects.filter(pk=run_id, state=State.DRAFT).first()
    if run is not None:
        Path(run.path).unlink(missing_ok=True)
        run.delete()


def sweep_uploads() -> int:
    """Delete uploads that are a day old, and drafts nobody came back to; return how many files went."""
    old = timezone.now() - KEEP
    folder = uploads_folder()
    running = CustomerImport.objects.filter(state=State.RUNNING, job__state__in=("waiting", "running"))
    busy = set(running.values_list("path", flat=True))
    gone = 0
    for path in folder.iterdir():
        if path.is_file() and path.stat().st_mtime < old.timestamp() and str(path) not in busy:
            path.unlink(missing_ok=True)
            gone += 1
    CustomerImport.objects.filter(Q(state=State.DRAFT), created_at__lt=old).delete()
    return gone
