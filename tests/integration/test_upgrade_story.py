"""The guide's section 10 in a small form; ``make upgrade`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.upgrade.story import tell_story


@pytest.mark.long
async def test_an_upgrade_from_end_to_end_and_back(kafka_bootstrap: str, tmp_path: Path) -> None:
    told: list[str] = []
    story = await tell_story(kafka_bootstrap, tmp_path, rows=50, events=500, tell=told.append)
    assert story.answers > 10
    assert "fail" not in story.checklist
