"""The receipt's file: whole, and known again after an edit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker.errors import WorkerError
from worker.replay.apply.receipt import PartitionReceipt, Receipt, read_receipt, write_receipt
from worker.replay.plan.file import OutcomeCounts, PlannedRoute

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROUTE = PlannedRoute(
    source="old", destination="new", dead_letter="dlt", chain="c", chain_fingerprint="f", config_fingerprint="g"
)
RECEIPT = Receipt(
    replay_id="0123456789ab",
    plan_digest="d",
    cluster_id="c",
    group="g",
    worker_version="1",
    reason="upgrade",
    started=NOW,
    ended=NOW,
    route=ROUTE,
    partitions=(
        PartitionReceipt(
            partition=0,
            start=0,
            end=9,
            destination_start=0,
            dead_letter_start=0,
            counts=OutcomeCounts(read=9, upcast=9, produced=9),
            read_digest="r",
            written_digest="w",
        ),
    ),
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_receipt(RECEIPT, tmp_path / "receipt.json")
    assert read_receipt(tmp_path / "receipt.json") == RECEIPT
    assert list(tmp_path.iterdir()) == [tmp_path / "receipt.json"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reason": "another"}, "so the file was edited"),
        ({"format": 2}, "the receipt has format 2, this worker reads format 1"),
        ({"kind": "upcast-plan"}, "is a plan: give the receipt"),
        ({"kind": "else"}, "is no receipt"),
        ({"started": "yesterday"}, "field started is not valid"),
    ],
)
def test_what_is_wrong_with_a_file_is_reported(tmp_path: Path, change: dict[str, object], told: str) -> None:
    file = tmp_path / "receipt.json"
    write_receipt(RECEIPT, file)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(WorkerError, match=told):
        read_receipt(file)


def test_a_receipt_that_is_not_there_means_an_unfinished_replay(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="run `upcast replay` to its end"):
        read_receipt(tmp_path / "none.json")
    with pytest.raises(WorkerError, match="cannot write the receipt"):
        write_receipt(RECEIPT, tmp_path / "no-folder" / "receipt.json")
