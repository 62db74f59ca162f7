"""The ledger in a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, desc, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from worker.ledger import tables
from worker.ledger.faults import explained
from worker.ledger.port import going_back, known_already, other_receipt, unknown_run
from worker.ledger.records import AllowedOverlap, DeadLetterSummary, PartitionProgress, Proof, Run, RunState


class SqlLedger:
    """Takes an engine whose database has the tables of today; ``place`` is how errors call it."""

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self._place = place

    def start_run(self, run: Run) -> None:
        with self._transaction() as connection:
            try:
                connection.execute(insert(tables.runs).values(_run_row(run)))
            except IntegrityError:
                raise known_already(run.replay_id) from None

    def end_run(self, replay_id: str, state: RunState, ended: datetime | None = None) -> None:
        self._change_run(replay_id, state=state, ended=_iso(ended))

    def report(self, replay_id: str, now: datetime) -> None:
        self._change_run(replay_id, reported=_iso(now))

    def run(self, replay_id: str) -> Run | None:
        rows = self._rows(tables.runs, replay_id)
        return _run(rows[0]) if rows else None

    def runs(self) -> list[Run]:
        newest_first = select(tables.runs).order_by(desc(tables.runs.c.started), desc(tables.runs.c.replay_id))
        with self._transaction() as connection:
            return [_run(dict(row)) for row in connection.execute(newest_first).mappings()]

    def note_progress(self, progress: PartitionProgress) -> None:
        with self._transaction() as connection:
            _check_run(connection, progress.replay_id)
            before = connection.execute(select(tables.progress).where(*_place_of(progress))).mappings().first()
            if before is None:
                connection.execute(insert(tables.progress).values(asdict(progress)))
            elif progress.committed < before["committed"]:
                raise going_back(PartitionProgress(**before), progress)
            else:
                connection.execute(update(tables.progress).where(*_place_of(progress)).values(asdict(progress)))

    def progress(self, replay_id: str) -> list[PartitionProgress]:
        rows = [PartitionProgress(**row) for row in self._rows(tables.progress, replay_id)]
        return sorted(rows, key=lambda each: (each.topic, each.partition))

    def save_receipt(self, replay_id: str, receipt: dict[str, Any]) -> None:
        with self._transaction() as connection:
            _check_run(connection, replay_id)
            query = select(tables.receipts.c.content).where(tables.receipts.c.replay_id == replay_id)
            before = connection.execute(query).scalar()
            if before is None:
                connection.execute(insert(tables.receipts).values(replay_id=replay_id, content=receipt))
            elif before != receipt:
                raise other_receipt(replay_id)

    def receipt(self, replay_id: str) -> dict[str, Any] | None:
        rows = self._rows(tables.receipts, replay_id)
        content: dict[str, Any] | None = rows[0]["content"] if rows else None
        return content

    def save_proof(self, proof: Proof) -> None:
        row = {**asdict(proof), "made": _iso(proof.made)}
        with self._transaction() as connection:
            _check_run(connection, proof.replay_id)
            connection.execute(delete(tables.proofs).where(tables.proofs.c.replay_id == proof.replay_id))
            connection.execute(insert(tables.proofs).values(row))

    def proof(self, replay_id: str) -> Proof | None:
        rows = self._rows(tables.proofs, replay_id)
        return Proof(**{**rows[0], "made": datetime.fromisoformat(rows[0]["made"])}) if rows else None

    def note_beside(self, beside: AllowedOverlap) -> None:
        with self._transaction() as connection:
            _check_run(connection, beside.replay_id)
            connection.execute(insert(tables.besides).values({**asdict(beside), "noted": _iso(beside.noted)}))

    def besides(self, replay_id: str) -> list[AllowedOverlap]:
        rows = sorted(self._rows(tables.besides, replay_id), key=lambda row: row["noted"])
        return [AllowedOverlap(**{**row, "noted": datetime.fromisoformat(row["noted"])}) for row in rows]

    def save_dead_letters(self, replay_id: str, summaries: Sequence[DeadLetterSummary]) -> None:
        rows = [{**asdict(each), "replay_id": replay_id} for each in summaries]
        with self._transaction() as connection:
            _check_run(connection, replay_id)
            connection.execute(delete(tables.dead_letters).where(tables.dead_letters.c.replay_id == replay_id))
            if rows:
                connection.execute(insert(tables.dead_letters), rows)

    def dead_letters(self, replay_id: str) -> list[DeadLetterSummary]:
        rows = [DeadLetterSummary(**row) for row in self._rows(tables.dead_letters, replay_id)]
        return sorted(rows, key=lambda each: (-each.count, each.fingerprint))

    def close(self) -> None:
        self._engine.dispose()

    def _change_run(self, replay_id: str, **values: str | None) -> None:
        change = update(tables.runs).where(tables.runs.c.replay_id == replay_id).values(**values)
        with self._transaction() as connection:
            if not connection.execute(change).rowcount:
                raise unknown_run(replay_id)

    def _rows(self, table: Table, replay_id: str) -> list[Mapping[str, Any]]:
        with self._transaction() as connection:
            found = connection.execute(select(table).where(table.c.replay_id == replay_id))
            return [dict(row) for row in found.mappings()]

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise explained(error, self._place) from error


def _check_run(connection: Connection, replay_id: str) -> None:
    query = select(tables.runs.c.replay_id).where(tables.runs.c.replay_id == replay_id)
    if connection.execute(query).first() is None:
        raise unknown_run(replay_id)


def _place_of(progress: PartitionProgress) -> tuple[Any, ...]:
    columns = tables.progress.c
    return (
        columns.replay_id == progress.replay_id,
        columns.topic == progress.topic,
        columns.partition == progress.partition,
    )


_TIMES = ("started", "ended", "reported")


def _run_row(run: Run) -> dict[str, Any]:
    return {**asdict(run), **{name: _iso(getattr(run, name)) for name in _TIMES}}


def _run(row: Mapping[str, Any]) -> Run:
    return Run(**{**row, **{name: row[name] and datetime.fromisoformat(row[name]) for name in _TIMES}})


def _iso(time: datetime | None) -> str | None:
    """Text, because SQLite keeps no time zone; one zone and one length, so that text sorts as time does."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="microseconds")
