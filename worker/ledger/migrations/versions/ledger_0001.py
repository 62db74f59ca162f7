"""Runs, progress, receipts and dead letters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("replay_id", sa.String(64), primary_key=True),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("cluster_id", sa.Text, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("started", sa.Text, nullable=False),
        sa.Column("worker_version", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("ended", sa.Text, nullable=True),
    )
    op.create_table(
        "progress",
        _of_run(),
        sa.Column("topic", sa.String(249), primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("committed", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
    )
    op.create_table("receipts", _of_run(), sa.Column("content", sa.JSON, nullable=False))
    op.create_table(
        "dead_letters",
        _of_run(),
        sa.Column("fingerprint", sa.String(16), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("error_type", sa.Text, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("from_version", sa.Text, nullable=False),
        sa.Column("to_version", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for name in ("dead_letters", "receipts", "progress", "runs"):
        op.drop_table(name)


def _of_run() -> sa.Column[str]:
    return sa.Column("replay_id", sa.String(64), sa.ForeignKey("runs.replay_id"), primary_key=True)
