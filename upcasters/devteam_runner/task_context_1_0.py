"""The first schema: camelCase metadata with the task's and the project's id, and nodes by name.

No field says the version. Producers of that time were not of one mind about spelling: snake_case, or both at once,
is accepted, so the model asks for neither spelling; the step to 2.0 says which one counts.
"""

from pydantic import BaseModel, ConfigDict

from upcasters import Baseline, anything


class Node(BaseModel):
    """One node of the task's workflow."""

    model_config = ConfigDict(extra="allow")

    status: str = ""


class Metadata(BaseModel):
    """Whose task it is."""

    model_config = ConfigDict(extra="allow")

    taskId: str = ""
    task_id: str = ""
    projectId: str = ""
    project_id: str = ""


class TaskContext(BaseModel):
    """``task_context`` 1.0."""

    model_config = ConfigDict(extra="allow")

    metadata: Metadata
    nodes: dict[str, Node]


baseline = Baseline("task_context", "1.0", model=TaskContext, shape=anything())
