"""One pass over a column: migrates each document, counts each row, and reports all failures at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from upcasters import Fault
from worker.database import quarantine
from worker.database.document_upcaster import Changed, DocumentUpcaster
from worker.database.failures import LISTED, AtRestError, Failures, RowFailure, key_text
from worker.database.registry import DocumentSet
from worker.database.rows import Row, Storage
from worker.progress import OnProgress

After = Callable[[tuple[Any, ...]], None]


@dataclass
class MigratedColumn:
    """What became of a column's rows. ``unchanged`` were there already, ``empty`` hold a null (the database's, or
    JSON's), ``others`` another JSON value that is no object. Both stay as they are."""

    rows: int = 0
    changed: int = 0
    unchanged: int = 0
    empty: int = 0
    set_aside: int = 0
    others: int = 0


@dataclass
class MigrationPass:
    """``run`` goes through all rows behind a key. ``within`` wraps each batch, ``after`` is told its last key.

    ``write=False`` only tries. ``set_aside`` keeps what failed beside the table in place of stopping.
    """

    place: DocumentSet
    storage: Storage
    upcaster: DocumentUpcaster
    connection: Connection
    write: bool
    set_aside: bool
    show: OnProgress
    brought: MigratedColumn = field(default_factory=MigratedColumn)
    failures: Failures = field(default_factory=Failures)
    others: list[str] = field(default_factory=list)
    """The keys of the first rows that hold JSON which is no object."""

    def run(
        self,
        start: tuple[Any, ...] | None = None,
        within: Callable[[], AbstractContextManager[object]] = nullcontext,
        after: After | None = None,
    ) -> MigratedColumn:
        """Raises RowsFailedError at the end, when all are known; AtRestError where rows could not be reached."""
        total = self.storage.count(self.connection)
        batches = self.storage.batches(self.connection, start, lock=within is not nullcontext)
        while self._one(batches, within, after):
            self.show(self.brought.rows, total)
        if self.failures.count and not self.set_aside:
            raise self.failures.error(str(self.place), f"{self.place.event_type} {self.upcaster.to}")
        if start is None and self.brought.rows != total:
            raise AtRestError(
                f"{self.place}: of {total:,} rows {self.brought.rows:,} were reached by "
                f"({', '.join(self.storage.key)}): rows came or went meanwhile; run it again while nobody writes",
                code="UPC1913",
            )
        return self.brought

    def _one(
        self,
        batches: Iterator[list[Row]],
        within: Callable[[], AbstractContextManager[object]],
        after: After | None,
    ) -> bool:
        with within():
            batch = next(batches, None)
            if batch is None:
                return False
            self._work_on(batch)
            if after:
                after(batch[-1].key)
        return True

    def _work_on(self, batch: list[Row]) -> None:
        changes: list[tuple[Row, Changed]] = []
        failed: list[tuple[Row, Fault]] = []
        documents = self.upcaster.documents
        for row in batch:
            if row.document is None or documents.is_null(row.document):
                self.brought.empty += 1
                continue
            result = self._bring(row, row.document)
            if isinstance(result, Fault) and documents.is_no_object(row.document, row.kind):
                self._keep(row)
                continue
            if result is None:
                self.brought.unchanged += 1
            elif isinstance(result, Fault):
                failed.append((row, result))
            else:
                changes.append((row, result))
        if changes and self.write:
            refused = self.storage.write(self.connection, changes)
            failed += [(row, refused[row.key]) for row, _ in changes if row.key in refused]
            self.brought.changed -= len(refused)
        self.brought.changed += len(changes)
        self.brought.rows += len(batch)
        self._note(failed)

    def _keep(self, row: Row) -> None:
        self.brought.others += 1
        if len(self.others) < LISTED:
            self.others.append(key_text(self.storage.key, row.key))

    def _bring(self, row: Row, document: bytes) -> Changed | Fault | None:
        if fault := self.upcaster.documents.misplaced(row.kind):
            return fault
        version = None if row.version is None else str(row.version)
        return self.upcaster.bring(document, version)

    def _note(self, failed: list[tuple[Row, Fault]]) -> None:
        for row, fault in failed:
            self.failures.add(RowFailure(dict(zip(self.storage.key, row.key, strict=True)), fault))
        if failed and self.set_aside:
            self.brought.set_aside += len(failed)
            if self.write:
                quarantine.put(self.connection, self.place, failed)
