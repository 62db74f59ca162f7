"""Runs migrations on the connection that ``opening`` hands over."""

from alembic import context

from worker.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
