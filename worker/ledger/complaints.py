"""The ledger's errors, in the words that both of its forms use."""

from __future__ import annotations

from worker.errors import MAY_PASS, WorkerError
from worker.ledger.records import PartitionProgress


def known_already(replay_id: str) -> WorkerError:
    return WorkerError(f"ledger: replay {replay_id} is written down already: go on with it in place of starting it")


def unknown_run(replay_id: str) -> WorkerError:
    return WorkerError(f"ledger: it knows no replay {replay_id}: is `ledger.url` the one that the replay was run with?")


def other_receipt(replay_id: str) -> WorkerError:
    return WorkerError(f"ledger: another receipt of replay {replay_id} is there already: receipts are written once")


def going_back(before: PartitionProgress, now: PartitionProgress) -> WorkerError:
    return WorkerError(
        f"ledger: replay {now.replay_id} has done {now.topic} partition {now.partition} up to offset "
        f"{before.committed}, not {now.committed}: another process works on it, too: let that one finish; if there is "
        "none, the ledger is of another cluster: see `ledger.url`"
    )


def locked(place: str) -> WorkerError:
    return WorkerError(f"ledger: {place} is locked by another process: try again when that has ended", MAY_PASS)
