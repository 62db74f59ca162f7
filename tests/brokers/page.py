"""The table of docs/reliability.md: one row for each release, the newer result in the place of the older one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from tests.brokers.matrix import Outcome
from tests.brokers.releases import RELEASES
from tests.docs.tables import table

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BETWEEN = re.compile(r"(<!-- brokers: [^\n]*-->\n).*?(<!-- end of brokers -->)", re.DOTALL)
COLUMNS = (
    "Kafka",
    "records",
    "faults",
    "lost",
    "doubled",
    "reordered",
    "otherwise wrong",
    "slow coordinators",
    "s",
    "on",
    "commit",
)


def cells(outcome: Outcome) -> list[str]:
    numbers = (
        outcome.records,
        outcome.faults,
        outcome.lost,
        outcome.doubled,
        outcome.reordered,
        outcome.otherwise,
        outcome.busy_coordinators,
        round(outcome.seconds),
    )
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    return [_told(outcome.version), *(f"{number:,}" for number in numbers), today, _commit()]


def _commit() -> str:
    """What ran; with a `+` where files were changed since."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty=+", "--abbrev=7"]
    return subprocess.run(command, cwd=PAGE.parent, capture_output=True, text=True, check=False).stdout.strip()


def _told(name: str) -> str:
    version, _, transactions = name.partition(":")
    return f"{version}, `transaction.version` {transactions}" if transactions else version


def rows(text: str) -> dict[str, list[str]]:
    """Those that a page has, by the release they tell of."""
    found = BETWEEN.search(text)
    lines = found[0].splitlines() if found else []
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return {row[0]: row for row in split[2:]}


def written(text: str, outcomes: Iterable[Outcome]) -> str:
    """The page with these outcomes; a release that was not tried keeps its row."""
    known = rows(text) | {_told(each.version): cells(each) for each in outcomes if not each.skipped}
    ordered = [known[name] for name in map(_told, RELEASES) if name in known]
    return BETWEEN.sub(lambda found: f"{found[1]}{table(COLUMNS, ordered)}{found[2]}", text)
