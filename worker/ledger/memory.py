"""A ledger that is gone with its process, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from typing import Any

from worker.ledger.port import going_back, known_already, other_receipt, unknown_run
from worker.ledger.records import AllowedOverlap, DeadLetterSummary, PartitionProgress, Proof, Run, RunState


class MemoryLedger:
    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._progress: dict[tuple[str, str, int], PartitionProgress] = {}
        self._receipts: dict[str, dict[str, Any]] = {}
        self._proofs: dict[str, Proof] = {}
        self._besides: list[AllowedOverlap] = []
        self._dead_letters: dict[str, list[DeadLetterSummary]] = {}

    def start_run(self, run: Run) -> None:
        if run.replay_id in self._runs:
            raise known_already(run.replay_id)
        self._runs[run.replay_id] = run

    def end_run(self, replay_id: str, state: RunState, ended: datetime | None = None) -> None:
        self._runs[replay_id] = replace(self._known(replay_id), state=state, ended=ended)

    def report(self, replay_id: str, now: datetime) -> None:
        self._runs[replay_id] = replace(self._known(replay_id), reported=now)

    def run(self, replay_id: str) -> Run | None:
        return self._runs.get(replay_id)

    def runs(self) -> list[Run]:
        return sorted(self._runs.values(), key=lambda run: (run.started, run.replay_id), reverse=True)

    def note_progress(self, progress: PartitionProgress) -> None:
        self._known(progress.replay_id)
        place = (progress.replay_id, progress.topic, progress.partition)
        before = self._progress.get(place)
        if before is not None and progress.committed < before.committed:
            raise going_back(before, progress)
        self._progress[place] = progress

    def progress(self, replay_id: str) -> list[PartitionProgress]:
        return [self._progress[place] for place in sorted(self._progress) if place[0] == replay_id]

    def save_receipt(self, replay_id: str, receipt: dict[str, Any]) -> None:
        self._known(replay_id)
        if self._receipts.setdefault(replay_id, deepcopy(receipt)) != receipt:
            raise other_receipt(replay_id)

    def receipt(self, replay_id: str) -> dict[str, Any] | None:
        return deepcopy(self._receipts.get(replay_id))

    def save_proof(self, proof: Proof) -> None:
        self._known(proof.replay_id)
        self._proofs[proof.replay_id] = proof

    def proof(self, replay_id: str) -> Proof | None:
        return self._proofs.get(replay_id)

    def note_beside(self, beside: AllowedOverlap) -> None:
        self._known(beside.replay_id)
        self._besides.append(beside)

    def besides(self, replay_id: str) -> list[AllowedOverlap]:
        return sorted((each for each in self._besides if each.replay_id == replay_id), key=lambda each: each.noted)

    def save_dead_letters(self, replay_id: str, summaries: Sequence[DeadLetterSummary]) -> None:
        self._known(replay_id)
        self._dead_letters[replay_id] = [replace(each, replay_id=replay_id) for each in summaries]

    def dead_letters(self, replay_id: str) -> list[DeadLetterSummary]:
        return sorted(self._dead_letters.get(replay_id, []), key=lambda each: (-each.count, each.fingerprint))

    def close(self) -> None:
        """Nothing to close."""

    def _known(self, replay_id: str) -> Run:
        if replay_id not in self._runs:
            raise unknown_run(replay_id)
        return self._runs[replay_id]
