"""The plan file: what is written is read again, and what was edited, is foreign or newer is refused in one line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from worker.errors import WorkerError
from worker.replay.plan.file import (
    Coordinates,
    Determinism,
    FaultGroup,
    LossReport,
    LostPath,
    Mark,
    Plan,
    PlannedRange,
    PlannedRoute,
    read_plan,
    write_plan,
)

ROUTE = PlannedRoute(
    source="legacy",
    destination="current",
    dead_letter="legacy-dlt",
    chain="a:b",
    chain_fingerprint="c" * 16,
    config_fingerprint="d" * 16,
)
FAULT = FaultGroup(
    fingerprint="f" * 16,
    count=3,
    stage="upcast",
    error_type="MissingField",
    step="task_context_1_1",
    path="metadata.taskId",
    samples=(Coordinates(partition=1, offset=5),),
)
LOST = LostPath(path="a.b", event_type="thing", from_version="1.0", to_version="2.0", events=2)
PLAN = Plan(
    created=datetime(2026, 1, 2, tzinfo=UTC),
    worker_version="0.1.0",
    cluster_id="cluster",
    asked_from="90d",
    asked_to="now",
    route=ROUTE,
    ranges=(PlannedRange(partition=0, start=5, end=9, records=4, marks=(Mark(offset=5, digest="0" * 16),)),),
)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    plan = PLAN.model_copy(update={"dead_letters": (FAULT,), "loss": LossReport(compared=1, lost=(LOST,))})
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan
    assert [each.name for each in tmp_path.iterdir()] == ["plan.json"]


def test_its_digest_is_about_content_alone(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_plan(PLAN, path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items()))))
    assert read_plan(path).digest() == PLAN.digest() == content["digest"]
    assert PLAN.replay_id == PLAN.digest()[:12]


def test_unwritable_text_is_kept(tmp_path: Path) -> None:
    """A path may have a key that is no UTF-8 text: JSON lets a lone surrogate through."""
    plan = PLAN.model_copy(update={"loss": LossReport(lost=(LOST.model_copy(update={"path": "a.\ud800"}),))})
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan


def _edited(content: dict[str, Any]) -> None:
    content["ranges"][0]["end"] = 900


def _allowed(content: dict[str, Any]) -> None:
    content["allowed"] = ["f" * 16]


def _without_digest(content: dict[str, Any]) -> None:
    del content["digest"]


def _newer(content: dict[str, Any]) -> None:
    content["format"] = 2


def _foreign_key(content: dict[str, Any]) -> None:
    content["route"]["colour"] = "blue"


def _other_file(content: dict[str, Any]) -> None:
    content["kind"] = "upcast-receipt"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_edited, "its digest is not that of its content, so the file was edited"),
        (_allowed, "its digest is not that of its content, so the file was edited"),
        (_without_digest, "its digest is not that of its content, so the file was edited"),
        (_newer, "the plan has format 2, this worker reads format 1"),
        (_foreign_key, "field route.colour is not valid"),
        (_other_file, "is no plan"),
    ],
)
def test_what_is_refused(tmp_path: Path, change: Any, expected: str) -> None:
    path = tmp_path / "plan.json"
    write_plan(PLAN, path)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(WorkerError) as caught:
        read_plan(path)
    assert str(caught.value).startswith(f"{path}: {expected}")


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "\xff"])
def test_what_is_no_plan(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(WorkerError, match="is no plan: give the file that `upcast plan --out` wrote"):
        read_plan(path)


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="cannot read the plan: No such file"):
        read_plan(tmp_path / "none.json")
    with pytest.raises(WorkerError, match="cannot write the plan: No such file"):
        write_plan(PLAN, tmp_path / "none" / "plan.json")


def test_objections_are_what_was_not_allowed() -> None:
    plan = PLAN.model_copy(
        update={
            "dead_letters": (FAULT,),
            "loss": LossReport(compared=2, lost=(LOST,)),
            "determinism": Determinism(compared=9, different=1, samples=(Coordinates(partition=0, offset=6),)),
        }
    )
    dead, lost, different = plan.objections()
    assert dead == (
        "3 dead letters, MissingField in upcast at task_context_1_1 metadata.taskId "
        f"(first at partition 1, offset 5): correct the chain, or allow them with --allow {'f' * 16}"
    )
    assert lost.startswith("a.b of thing 1.0 does not reach 2.0: drop it by name in a step")
    assert different.startswith("1 of 9 events came out differently the second time (first at partition 0, offset 6)")
    allowed = plan.model_copy(update={"allowed": ("f" * 16, "loss:a.b")})
    assert allowed.objections() == [different]


def test_what_is_not_listed_cannot_be_allowed() -> None:
    plan = PLAN.model_copy(update={"dead_letters_truncated": True, "loss": LossReport(truncated=True)})
    assert len(plan.objections()) == 2
