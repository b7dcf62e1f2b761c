"""Backup and restore of the whole database, by PostgreSQL's own tools."""

from notifyhub.messaging.backup.making import make_backup
from notifyhub.messaging.backup.restoring import restore_backup

__all__ = ["make_backup", "restore_backup"]
