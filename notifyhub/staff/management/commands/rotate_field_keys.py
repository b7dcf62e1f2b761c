"""Encrypt what is stored again under the newest key of FIELD_KEYS."""

import sys
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from notifyhub.core import crypto
from notifyhub.staff.services.rotation import rotate_field_keys


class Command(BaseCommand):
    """Put the new key first in FIELD_KEYS, restart, run this; it may be stopped and run again."""

    help = "Encrypt stored values again under the first key of FIELD_KEYS; may be stopped and run again."

    def handle(self, *args: Any, **options: Any) -> None:
        def progress(name: str, done: int) -> None:
            if sys.stderr.isatty():
                self.stderr.write(f"\r{name} {done:,}".ljust(60), ending="")
                self.stderr.flush()

        rotated = rotate_field_keys(progress=progress)
        for name, done in rotated.done.items():
            self.stdout.write(f"{name}: {done:,}")
        self.stdout.write(
            _("%(done)d values are now under the key “%(key)s”.")
            % {"done": sum(rotated.done.values()), "key": crypto.current_key_id()}
        )
        days = settings.KEEP_DAYS["copies"]
        if days:
            until = timezone.localdate() + timedelta(days=days)
            self.stdout.write(
                _("Copies of messages keep the key they were written with: keep the old key until %(date)s.")
                % {"date": until.isoformat()}
            )
        else:
            self.stdout.write(
                _("Copies of messages keep the key they were written with, for good: keep the old key too.")
            )
        self.stdout.write(_("Keep the oldest key in FIELD_KEYS: searching by phone and email hangs on it."))
        if rotated.unreadable:
            raise CommandError(
                _("%(n)d values cannot be read, their key is not in FIELD_KEYS: %(columns)s.")
                % {"n": sum(rotated.unreadable.values()), "columns": ", ".join(rotated.unreadable)}
            )
