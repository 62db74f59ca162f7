"""docs/upgrade-day.md: its commands run in order, on fewer events, and print what the page says, numbers aside.

`make upgrade WHAT=day` does it with all of them and three kills, and compares the numbers, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.upgrade_day.page import PAGE, blocks, comparable
from tests.upgrade_day.story import Story


@pytest.mark.long
async def test_upgrade_day_in_small(kafka_bootstrap: str, tmp_path: Path) -> None:
    story = Story(kafka_bootstrap, tmp_path, events=2_000, kills=(0.4,))
    assert await story.run() == []
    told = [block.text for block in blocks(PAGE.read_text(encoding="utf-8")) if block.language == "text"]
    for before, now in zip(told, story.printed, strict=True):
        assert comparable(now, whole=False) == comparable(before, whole=False)
