"""Backups by the database's own means, each with a manifest beside it, checked by restoring it."""

from worker.database.backups.backup import Backup, check_backup, make_backup, read_backup, restore_backup, restored

__all__ = ["Backup", "check_backup", "make_backup", "read_backup", "restore_backup", "restored"]
