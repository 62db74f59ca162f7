"""The ledger's tables, as they are after the newest migration."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, Text

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("replay_id", String(64), primary_key=True),
    Column("plan_digest", Text, nullable=False),
    Column("cluster_id", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("started", Text, nullable=False),
    Column("worker_version", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("ended", Text, nullable=True),
)


def _of_run() -> Column[str]:
    return Column("replay_id", String(64), ForeignKey("runs.replay_id"), primary_key=True)


progress = Table(
    "progress",
    metadata,
    _of_run(),
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("committed", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
)

receipts = Table("receipts", metadata, _of_run(), Column("content", JSON, nullable=False))

proofs = Table(
    "proofs",
    metadata,
    _of_run(),
    Column("made", Text, nullable=False),
    Column("worker_version", Text, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("findings", BigInteger, nullable=False),
    Column("undecided", BigInteger, nullable=False),
)

besides = Table(
    "besides",
    metadata,
    _of_run(),
    Column("noted", String(32), primary_key=True),
    Column("group", Text, nullable=False),
    Column("worker_version", Text, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    _of_run(),
    Column("fingerprint", String(16), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("stage", Text, nullable=False),
    Column("error_type", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("from_version", Text, nullable=False),
    Column("to_version", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
)
