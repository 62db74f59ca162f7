"""Runs the migrations of the DevTeam Runner's database, online: documents are read row by row."""

from __future__ import annotations

import os
from logging.config import fileConfig
from pathlib import Path

from alembic import context
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine, make_url

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name, disable_existing_loggers=False)

if context.is_offline_mode():
    raise CommandError("documents are read row by row, which no SQL script can do: leave --sql out")

url = make_url(os.environ.get("DEVTEAM_RUNNER_DATABASE_URL") or str(config.get_main_option("sqlalchemy.url")))
if url.drivername == "postgresql":
    url = url.set(drivername="postgresql+psycopg")
if url.get_backend_name() == "sqlite" and url.database:
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)

with create_engine(url, poolclass=NullPool).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
