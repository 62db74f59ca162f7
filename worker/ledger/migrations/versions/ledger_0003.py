"""What verifications could not judge, and live workers that were let in beside a replay."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("proofs", sa.Column("undecided", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "besides",
        sa.Column("replay_id", sa.String(64), sa.ForeignKey("runs.replay_id"), primary_key=True),
        sa.Column("noted", sa.String(32), primary_key=True),
        sa.Column("group", sa.Text, nullable=False),
        sa.Column("worker_version", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("besides")
    op.drop_column("proofs", "undecided")
