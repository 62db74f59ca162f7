"""snake_case throughout; branch, repo_path and the prep node are always there.

Both spellings of a field are accepted, also in one document: snake_case counts before camelCase, and different
values are an error. Unknown fields are kept as they are.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from upcasters import (
    SNAKE_CASE,
    Step,
    any_present,
    default,
    derive,
    first_of,
    present,
    rename_keys,
)


class Node(BaseModel):
    """One node of the task's workflow."""

    model_config = ConfigDict(extra="allow")

    status: str = ""


class Nodes(BaseModel):
    """All nodes by name; there is always one that prepares the workspace."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Node]

    prep: Node


class Metadata(BaseModel):
    """Whose task it is, and where its code is."""

    model_config = ConfigDict(extra="allow")

    task_id: str
    project_id: str
    branch: str
    repo_path: str


class TaskContext(BaseModel):
    """``task_context`` 2.0."""

    model_config = ConfigDict(extra="allow")

    metadata: Metadata
    nodes: Nodes


def workspace(project_id: str) -> str:
    """Where a project is checked out unless an event says otherwise."""
    return "/workspace/repos/" + project_id


def preparation(select_status: str | None) -> dict[str, Any]:
    """The prep node of a task that was written before there was one."""
    return {"status": "running" if select_status == "completed" else "pending"}


step = Step(
    event_type="task_context",
    source="1.1",
    target="2.0",
    operations=[
        first_of(["metadata.task_id", "metadata.taskId"], "metadata.task_id", back="metadata.taskId"),
        first_of(["metadata.project_id", "metadata.projectId"], "metadata.project_id", back="metadata.projectId"),
        first_of(
            ["metadata.repo_path", "metadata.repoPath"],
            "metadata.repo_path",
            missing="skip",
            back="metadata.repoPath",
        ),
        default("metadata.branch", "main", null="replace"),
        derive("metadata.repo_path", ["metadata.project_id"], workspace, exists="keep", null="replace"),
        rename_keys("nodes.*", SNAKE_CASE, exists="same"),
        derive("nodes.prep", ["nodes.select.status"], preparation, exists="keep", missing="none"),
    ],
    model=TaskContext,
    shape=present("metadata.task_id", "metadata.project_id", "metadata.branch", "metadata.repo_path", "nodes.prep")
    & ~any_present("metadata.taskId", "metadata.projectId", "metadata.repoPath"),
    complexity="medium",
    notes="Minor version, schema changes",
)
