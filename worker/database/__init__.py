"""Documents in a database, of JSON, Avro or Protobuf, migrated to another version by the same chain as events.

For Alembic migrations, anybody's::

    from worker.database import downcast_column, upcast_column

``docs/database.md`` is the guide. ``columns`` holds the two operations, ``migration_pass`` walks the ``rows`` of a
table, ``document_upcaster`` asks the chain, ``encodings`` knows how documents are written, ``registry`` remembers in
the database which column is at which version, ``quarantine`` keeps the rows that failed.
"""

from worker.database.columns import downcast_column, downcast_json_column, upcast_column, upcast_json_column
from worker.database.failures import AtRestError, RowsFailedError
from worker.database.migration_pass import MigratedColumn

__all__ = [
    "AtRestError",
    "MigratedColumn",
    "RowsFailedError",
    "downcast_column",
    "downcast_json_column",
    "upcast_column",
    "upcast_json_column",
]
