"""When a process that works on a run last said so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("runs", sa.Column("reported", sa.Text, nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "reported")
