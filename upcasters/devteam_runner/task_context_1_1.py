"""Metadata may name the branch and the path of the repository."""

from upcasters import Step, any_present, optional
from upcasters.devteam_runner import task_context_1_0


class Metadata(task_context_1_0.Metadata):
    """Whose task it is, and where its code is; null means not given."""

    branch: str | None = None
    repoPath: str | None = None
    repo_path: str | None = None


class TaskContext(task_context_1_0.TaskContext):
    """``task_context`` 1.1."""

    metadata: Metadata


step = Step(
    event_type="task_context",
    source="1.0",
    target="1.1",
    operations=[
        optional("metadata.branch"),
        optional("metadata.repoPath"),
        optional("metadata.repo_path"),
    ],
    model=TaskContext,
    shape=any_present("metadata.branch", "metadata.repoPath", "metadata.repo_path"),
    looks_like=["1.0"],
    complexity="low",
    notes="Patch upgrade",
)
