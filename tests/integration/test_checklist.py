"""The checklist goes by what is there: ledger, topics, the group, and the worker that runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.kafka import Topics
from tests.replaying import Stage, make_stage
from tests.worker_process import running_worker


@pytest.mark.long
async def test_it_goes_green_line_by_line(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    stage = await make_stage(kafka_bootstrap, topics, tmp_path)
    stage.configure()
    await stage.fill(240)
    await stage.make_plan()
    lines = await checked(stage, 1)
    assert "the ledger has no replay of it" in lines["data"]["evidence"][0]
    assert "the group has committed nothing" in lines["events"]["evidence"][0]
    await stage.replay()
    assert "is finished and not verified" in (await checked(stage, 1))["data"]["evidence"][0]
    assert (await stage.upcast("verify", str(stage.receipt))).code == 0
    shutil.copy(stage.receipt, stage.folder / "staging.json")
    bounds = {"UPCAST_CHECKLIST__MEMORY_BYTES": "2000000000", "UPCAST_CHECKLIST__LAG_SECONDS": "60"}
    async with running_worker(stage.config, arguments=("--after", str(stage.receipt))) as worker:
        await worker.until("/readyz", 200)
        told = ("--worker", worker.address, "--staging", "staging.json", "--attest", "backup=CHG-17")
        lines = await checked(stage, 0, *told, **bounds)
        assert {name: line["status"] for name, line in lines.items()} == {
            "release-notes": "not checked",
            "backup": "attested",
            "staging": "pass",
            "matrix": "pass",
            "database": "not checked",
            "data": "pass",
            "configuration": "pass",
            "api": "pass",
            "events": "pass",
            "performance": "pass",
        }
        assert lines["events"]["evidence"][0].endswith("0 offsets are unread")
        tight = {"UPCAST_CHECKLIST__MEMORY_BYTES": "1"}
        assert (await checked(stage, 1, *told, **tight))["performance"]["status"] == "fail"
        ticket = await stage.upcast("checklist", "--markdown", "--only", "after", "--worker", worker.address)
        assert ticket.out.startswith("### Validation checklist\n\n- [ ] Database schema migrated successfully: **not")
        assert "- [x] All existing data preserved: **pass**" in ticket.out
        assert await worker.stop() == 0


@pytest.mark.long
async def test_a_replay_of_the_rest_does_not_prove_the_beginning(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path
) -> None:
    stage = await make_stage(kafka_bootstrap, topics, tmp_path)
    stage.configure()
    await stage.fill(24)
    plan = await stage.make_plan(start="4")
    await stage.replay()
    assert (await stage.upcast("verify", str(stage.receipt))).code == 0
    data = (await checked(stage, 1))["data"]
    assert (data["status"], len(data["evidence"])) == ("not checked", 2)
    assert f"8 offsets lie before the range of replay {plan.replay_id}" in data["evidence"][1]


async def checked(stage: Stage, code: int, *arguments: str, **environment: str) -> dict[str, Any]:
    done = await stage.upcast("checklist", "--json", *arguments, environment=environment)
    assert done.code == code, done
    content = json.loads(done.out)
    assert bool(content["failed"]) is bool(code)
    return {line["name"]: line for line in content["lines"]}
