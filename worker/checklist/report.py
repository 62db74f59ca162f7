"""Every line with its evidence, as a table, JSON or Markdown.

``CHECKS`` says which checks give evidence for which line. A line whose checks give no evidence is "not checked"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from worker.checklist import archives, before, database, events, running
from worker.checklist.evidence import ITEMS, Check, ChecklistLine, Evidence, EvidenceStatus, Facts, Item
from worker.errors import CommandError

CHECKS: Mapping[str, Sequence[Check]] = {
    "release-notes": (),
    "backup": (database.backup_is_whole,),
    "staging": (before.staging_replay,),
    "matrix": (before.compatibility_matrix,),
    "database": (database.schema_and_documents,),
    "data": (events.replays_proved, archives.archives_proved, database.data_as_in_the_backup),
    "configuration": (before.configuration,),
    "api": (running.endpoints,),
    "events": (events.group_in_step,),
    "performance": (running.performance,),
}


COLUMNS = ("status", "line", "evidence")


async def check_all(facts: Facts, group: str | None = None) -> list[ChecklistLine]:
    """One line for each of the guide's, or of one of its lists."""
    return [await _check(item, facts) for item in ITEMS if group in (None, item.group)]


async def _check(item: Item, facts: Facts) -> ChecklistLine:
    found: list[Evidence] = []
    for check in CHECKS[item.name]:
        try:
            found += await check(facts)
        except CommandError as error:
            found.append(Evidence("not checked", str(error)))
    if word := facts.attested.get(item.name):
        found.append(Evidence("attested", word))
    texts = tuple(each.text for each in found)
    return ChecklistLine(
        item, _status([each.status for each in found]), texts or ("nothing here can check it: see --attest",)
    )


def _status(found: Sequence[EvidenceStatus]) -> EvidenceStatus:
    """The worst status; an operator's statement replaces "not checked", never "fail"."""
    if "fail" in found:
        return "fail"
    if "attested" in found:
        return "attested"
    return "pass" if found and "not checked" not in found else "not checked"


def rows(lines: Sequence[ChecklistLine], group: str) -> Iterator[tuple[str, str, str]]:
    for line in lines:
        if line.item.group == group:
            yield line.status, line.item.text, "\n".join(line.evidence)


def content(lines: Sequence[ChecklistLine]) -> dict[str, Any]:
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "failed": [line.item.name for line in lines if line.status == "fail"],
        "lines": [
            {
                "name": line.item.name,
                "list": line.item.group,
                "text": line.item.text,
                "status": line.status,
                "evidence": list(line.evidence),
            }
            for line in lines
        ],
    }


def markdown(lines: Sequence[ChecklistLine], group: str) -> Iterator[str]:
    """As the guide writes it: a box for each line, with what it says below."""
    for line in lines:
        if line.item.group == group:
            box = "x" if line.status in ("pass", "attested") else " "
            yield f"- [{box}] {line.item.text}: **{line.status}**"
            yield from (f"  - {text}" for text in line.evidence)
