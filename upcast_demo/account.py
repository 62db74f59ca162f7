"""Accounts for every event by the topics alone, and checks that the numbers add up."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from upcast_demo.history import EXPECTED, HistoryKind, MadeEvent
from upcast_demo.kafka import RecordReadBack

OUTCOMES = ("upcast", "passed", "dead-lettered", "missing")
OFFSET_HEADER = "__connect.errors.offset"


@dataclass
class DemoAccount:
    """Counts of (kind, outcome), the complaints, and samples to show."""

    counts: Counter[tuple[HistoryKind, str]] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    pair: tuple[bytes, bytes] | None = None
    letter: RecordReadBack | None = None

    def of(self, kind: HistoryKind, outcome: str) -> int:
        return self.counts[kind, outcome]

    def total(self, outcome: str) -> int:
        return sum(self.counts[kind, outcome] for kind in HistoryKind)

    @property
    def adds_up(self) -> bool:
        return not self.complaints


def reckon(
    written: Mapping[int, Sequence[MadeEvent]],
    destination: Mapping[int, Sequence[RecordReadBack]],
    dead_letters: Mapping[int, Sequence[RecordReadBack]],
) -> DemoAccount:
    """The account of all partitions: every event that is no dead letter must stand in the destination, in the same
    order."""
    account = DemoAccount()
    for partition, events in written.items():
        letters = _by_offset(dead_letters.get(partition, ()), account)
        arrived = iter(destination.get(partition, ()))
        for offset, event in enumerate(events):
            letter = letters.pop(offset, None)
            if letter is None:
                _follow(event, next(arrived, None), f"{partition}:{offset}", account)
            else:
                _buried(event, letter, account)
        surplus = len(list(arrived)) + len(letters)
        if surplus:
            account.complaints.append(f"partition {partition} has {surplus} records that nobody wrote")
    for (kind, outcome), count in sorted(account.counts.items()):
        if EXPECTED[kind] != outcome:
            account.complaints.append(f"{count} events '{kind}' were {outcome}, not {EXPECTED[kind]}")
    return account


def _by_offset(letters: Sequence[RecordReadBack], account: DemoAccount) -> dict[int, RecordReadBack]:
    found: dict[int, RecordReadBack] = {}
    for letter in letters:
        offset = int(header(letter, OFFSET_HEADER) or -1)
        if offset in found:
            account.complaints.append(f"offset {letter.partition}:{offset} has two dead letters")
        found[offset] = letter
    return found


def _follow(event: MadeEvent, record: RecordReadBack | None, where: str, account: DemoAccount) -> None:
    if record is None:
        account.counts[event.kind, "missing"] += 1
        return
    if (record.key, record.timestamp) != (event.key, event.timestamp):
        account.complaints.append(f"{where} is out of order, or another producer wrote it")
    outcome = "passed" if record.value == event.value else "upcast"
    account.counts[event.kind, outcome] += 1
    if outcome == "upcast" and not _is_current(record.value):
        account.complaints.append(f"{where} is not version 2.0")
    if outcome == "upcast" and event.value and record.value and event.kind is HistoryKind.V1_0:
        account.pair = account.pair or (event.value, record.value)


def _is_current(value: bytes | None) -> bool:
    metadata = json.loads(value or b"{}").get("metadata", {})
    return set(metadata) >= {"task_id", "project_id", "branch", "repo_path"}


def _buried(event: MadeEvent, letter: RecordReadBack, account: DemoAccount) -> None:
    account.counts[event.kind, "dead-lettered"] += 1
    if (letter.key, letter.value, letter.timestamp) != (event.key, event.value, event.timestamp):
        account.complaints.append(f"the dead letter of {letter.partition}:{letter.offset} is not as it came")
    if event.kind is HistoryKind.NO_TASK_ID:
        account.letter = account.letter or letter


def header(record: RecordReadBack, name: str) -> str:
    """The text of a record's last header of that name; empty where there is none."""
    return next((value.decode(errors="replace") for key, value in reversed(record.headers) if key == name), "")
