"""What a verification found, written down in the ledger: `upcast checklist` goes by it."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import metadata

from worker.errors import WorkerError
from worker.ledger import Proof, open_ledger
from worker.replay.apply.receipt import Receipt
from worker.settings import Settings
from worker.verifying.verify import ReceiptVerdict


def record_proof(settings: Settings, receipt: Receipt, verdict: ReceiptVerdict) -> str:
    """Why it was not written down, where it was not: the proof itself counts all the same."""
    proof = Proof(
        replay_id=receipt.replay_id,
        made=datetime.now(UTC),
        worker_version=metadata.version("upcast-worker"),
        records=verdict.records,
        findings=verdict.findings.wrong,
        undecided=verdict.findings.undecided,
    )
    try:
        ledger = open_ledger(settings.ledger.url.get_secret_value())
    except WorkerError as error:
        return str(error)
    try:
        ledger.save_proof(proof)
    except WorkerError as error:
        return str(error)
    finally:
        ledger.close()
    return ""
