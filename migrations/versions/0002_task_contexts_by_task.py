"""Task contexts are found by their task, since release 1.1."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("task_contexts_by_task", "task_contexts", ["task_id"])


def downgrade() -> None:
    op.drop_index("task_contexts_by_task", "task_contexts")
