"""The ledger: a small database of bounded passes, how far they are, their receipts and their dead letters.

Synchronous: call it through ``asyncio.to_thread``. ``port`` says what it can do, ``sql`` does it in a database,
``memory`` where there is none, and for tests; one contract suite holds both.
"""

from worker.ledger.memory import MemoryLedger
from worker.ledger.opening import open_ledger
from worker.ledger.port import Ledger
from worker.ledger.records import Beside, DeadLetterSummary, Progress, Proof, Run, RunState

__all__ = [
    "Beside",
    "DeadLetterSummary",
    "Ledger",
    "MemoryLedger",
    "Progress",
    "Proof",
    "Run",
    "RunState",
    "open_ledger",
]
