"""The ledger's tables, as they are after the newest migration."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, Text

metadata = MetaData()


def _texts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in names]


def _numbers(*names: str) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False) for name in names]


runs = Table(
    "runs",
    metadata,
    Column("replay_id", String(64), primary_key=True),
    *_texts("plan_digest", "cluster_id", "route", "started", "worker_version", "kind", "reason", "state"),
    Column("ended", Text, nullable=True),
    Column("reported", Text, nullable=True),
)


def _of_run() -> Column[str]:
    return Column("replay_id", String(64), ForeignKey("runs.replay_id"), primary_key=True)


progress = Table(
    "progress",
    metadata,
    _of_run(),
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    *_numbers("start", "end", "committed"),
    *_texts("digest"),
)

receipts = Table("receipts", metadata, _of_run(), Column("content", JSON, nullable=False))

proofs = Table(
    "proofs",
    metadata,
    _of_run(),
    *_texts("made", "worker_version"),
    *_numbers("records", "findings", "undecided"),
)

besides = Table(
    "besides",
    metadata,
    _of_run(),
    Column("noted", String(32), primary_key=True),
    *_texts("group", "worker_version"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    _of_run(),
    Column("fingerprint", String(16), primary_key=True),
    *_numbers("count"),
    *_texts("stage", "error_type", "event_type", "from_version", "to_version", "step"),
    *_numbers("first_seen", "last_seen"),
)
