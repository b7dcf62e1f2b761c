"""Encrypt contact points again under the newest key of FIELD_KEYS."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from notifyhub.core import crypto
from notifyhub.customers.services.rotation import Rotated, count_old, rotate_contact_points


class Command(BaseCommand):
    """Put the new key first in FIELD_KEYS, restart, run this; it may be stopped and run again."""

    help = "Encrypt contact points again under the first key of FIELD_KEYS; may be stopped and run again."

    def handle(self, *args: Any, **options: Any) -> None:
        total = count_old()

        def progress(rotated: Rotated) -> None:
            if sys.stderr.isatty():
                self.stderr.write(f"\r{rotated.done:,} / {total:,}".ljust(40), ending="")
                self.stderr.flush()

        rotated = rotate_contact_points(progress=progress)
        self.stdout.write(
            _("%(done)d contact points are now under the key “%(key)s”.")
            % {"done": rotated.done, "key": crypto.current_key_id()}
        )
        self.stdout.write(_("Keep the oldest key in FIELD_KEYS: searching by phone and email hangs on it."))
        if rotated.unreadable:
            raise CommandError(
                _("%d contact points cannot be read: their key is not in FIELD_KEYS.") % rotated.unreadable
            )
