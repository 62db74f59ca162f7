"""The former name of ``worker.database``: migrations that were written then import it."""

from __future__ import annotations

from worker.database import AtRestError, MigratedColumn, RowsFailedError, downcast_json_column, upcast_json_column

__all__ = ["AtRestError", "Brought", "RowsFailedError", "downcast_json_column", "upcast_json_column"]

Brought = MigratedColumn
