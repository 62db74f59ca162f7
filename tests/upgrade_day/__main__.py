"""``make upgrade WHAT=day``: the whole story, compared with the page; ``--write`` puts what is printed into it."""

from __future__ import annotations

import asyncio
import difflib
import sys
import tempfile
import time
from pathlib import Path

from tests.upgrade_day.page import PAGE, blocks, comparable, filled
from tests.upgrade_day.story import Story
from upcast_demo.local_kafka import LocalKafka

EVENTS = 200_000


def main(arguments: list[str]) -> int:
    began, broker = time.monotonic(), LocalKafka.start_or_exit()
    try:
        with tempfile.TemporaryDirectory() as folder:
            story = Story(broker.bootstrap_servers, Path(folder), EVENTS)
            wrong = asyncio.run(story.run())
    finally:
        broker.stop()
    page = PAGE.read_text(encoding="utf-8")
    if "--write" in arguments:
        PAGE.write_text(filled(page, story.printed), encoding="utf-8")
    else:
        wrong += differences(page, story.printed)
    verdict = f"{'FAIL' if wrong else 'PASS'}: {story.count:,} events, in {time.monotonic() - began:.0f} s"
    sys.stdout.write("\n".join([*wrong, verdict, ""]))
    return 1 if wrong else 0


def differences(page: str, printed: list[str]) -> list[str]:
    told = [block.text for block in blocks(page) if block.language == "text"]
    return [
        line
        for before, now in zip(told, printed, strict=True)
        if comparable(before, whole=True) != comparable(now, whole=True)
        for line in difflib.unified_diff(before.splitlines(), now.splitlines(), "the page", "now", lineterm="", n=0)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
