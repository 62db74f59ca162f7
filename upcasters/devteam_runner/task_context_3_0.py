"""Preview: one event per node instead of one per task.

Each node event has the whole of the task's metadata and whatever else the task context held. ``node_number`` of
``node_total`` tells when all are there, ``event_id`` is made from the source coordinates and so is the same each time
the history is read, and the record key is ``task_id/node_name``.
"""

from pydantic import BaseModel, ConfigDict

from upcasters import Baseline, Step, split_each
from upcasters.devteam_runner import task_context_2_0


class NodeEvent(BaseModel):
    """``task_context.node`` 3.0."""

    model_config = ConfigDict(extra="allow")

    metadata: task_context_2_0.Metadata
    event_id: str
    node_name: str
    node_number: int
    node_total: int
    node: task_context_2_0.Node


step = Step(
    event_type="task_context",
    source="2.0",
    target="3.0",
    operations=[
        split_each(
            "nodes",
            into="task_context.node",
            item="node",
            name="node_name",
            number="node_number",
            total="node_total",
            id="event_id",
            key=["metadata.task_id", "node_name"],
        ),
    ],
    preview=True,
    lossy="a single node event does not hold the other nodes of its task",
    complexity="high",
    notes="Major version, architectural changes",
)
baseline = Baseline("task_context.node", "3.0", model=NodeEvent)
