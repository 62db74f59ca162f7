"""Documents in a database: JSON columns, migrated to another version by the same chain as events.

For Alembic migrations, anybody's::

    from worker.database import downcast_json_column, upcast_json_column

``docs/database.md`` is the guide. ``columns`` holds the two operations, ``migration_pass`` walks
the ``rows`` of a table, ``document_upcaster`` asks the chain, ``registry`` remembers in the database which column is at
which version, ``quarantine`` keeps the rows that failed.
"""

from worker.database.columns import downcast_json_column, upcast_json_column
from worker.database.failures import AtRestError, RowsFailedError
from worker.database.migration_pass import MigratedColumn

__all__ = ["AtRestError", "MigratedColumn", "RowsFailedError", "downcast_json_column", "upcast_json_column"]
