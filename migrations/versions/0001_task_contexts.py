"""The table that release 1.0 of the DevTeam Runner had: one task context a row, as JSON."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "task_contexts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task_id", sa.String(200), nullable=False),
        sa.Column("context", sa.JSON, nullable=True),
        sa.Column("updated_at", sa.String(40), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("task_contexts")
