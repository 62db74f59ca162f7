"""``make brokers``: the releases that are named, or all; ``--write`` puts what they have shown into the page."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from tests.brokers.matrix import Outcome, problems, try_release
from tests.brokers.page import COLUMNS, PAGE, cells, written
from tests.brokers.releases import RELEASES, named
from tests.faults.chaos import say
from tests.faults.table import show
from upcast_demo.local_kafka.release import Release


def main(arguments: list[str]) -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that connections break is what this is about
    chosen: dict[str, Release] = {}
    for name in (each for each in arguments if not each.startswith("-")):
        chosen |= named(name)
    folder = Path(tempfile.mkdtemp(prefix="upcast-brokers-"))
    outcomes = [_tried(name, release, folder) for name, release in (chosen or RELEASES).items()]
    wrong = problems(outcomes)
    table = show(COLUMNS, [cells(each) for each in outcomes if not each.skipped])
    if "--write" in arguments:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), outcomes), encoding="utf-8")
    skipped = [f"skipped: {each.skipped}" for each in outcomes if each.skipped]
    verdict = f"NOT CLEAN; logs: {folder}" if wrong else "nothing lost, nothing doubled, nothing out of order"
    sys.stdout.write("\n".join([*wrong, *table, *skipped, verdict, ""]))
    return 1 if wrong else 0


def _tried(name: str, release: Release, folder: Path) -> Outcome:
    say(f"Kafka {name}")
    return try_release(name, release, folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
