"""What verifications of receipts found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("replay_id", sa.String(64), sa.ForeignKey("runs.replay_id"), primary_key=True),
        sa.Column("made", sa.Text, nullable=False),
        sa.Column("worker_version", sa.Text, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("findings", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("proofs")
