"""Task contexts of release 2.0: the same chain as for events."""

from __future__ import annotations

from alembic import op

from worker.database import downcast_json_column, upcast_json_column

revision = "0003"
down_revision = "0002"

CHAIN = "upcasters.devteam_runner:chain"


def upgrade() -> None:
    upcast_json_column(op, "task_contexts", "context", chain=CHAIN, event_type="task_context", to="2.0")


def downgrade() -> None:
    downcast_json_column(op, "task_contexts", "context", chain=CHAIN, event_type="task_context", to="1.1")
