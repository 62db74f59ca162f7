"""The short form of `make chaos`; `SEED=n` chooses another run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.chaos import Plan, run, tell

# A broker that dies is left to `make chaos`: on a busy machine the feeder itself then writes some records twice, which
# the checker calls a broken source.
FAULTS = ("worker killed", "connections cut", "lane fenced", "worker frozen", "answers lost", "worker killed")


@pytest.mark.long
async def test_nothing_is_lost_or_doubled_or_out_of_order(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", "1"))
    report = await run(Plan(seed=seed, records=20_000, faults=6, pace=1.5, only=FAULTS), tmp_path)
    assert report.is_clean, tell(report)
    assert report.verdict.records_in >= 20_000
    assert report.verdict.commits > 0
    assert sum(map(len, report.recoveries.values())) == 6
