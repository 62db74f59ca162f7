"""Checks that every document is valid at its version, and that the schema is the newest. The guide's fourth step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, inspect

from upcasters import Fault
from worker.database import quarantine, registry
from worker.database.alembic_project import Database, reading
from worker.database.comparison import storage_of
from worker.database.document_upcaster import Changed, DocumentUpcaster
from worker.database.failures import Failures, RowFailure
from worker.database.registry import Entry
from worker.database.rows import Row
from worker.progress import OnProgress


@dataclass
class ColumnState:
    """One column of documents: how many there are, nulls among them, other JSON that is no object, and those
    that are not as they should be."""

    place: str
    event_type: str
    version: str
    documents: int = 0
    empty: int = 0
    others: int = 0
    set_aside: int = 0
    failures: Failures = field(default_factory=Failures)


@dataclass
class DatabaseValidation:
    """``findings`` is what is wrong, a line each; empty where all is well."""

    columns: list[ColumnState] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def validate(database: Database, show: OnProgress) -> DatabaseValidation:
    """Look at the whole database. Reads only."""
    result = DatabaseValidation()
    if not database.at_head:
        heads = ", ".join(database.heads)
        result.findings.append(
            f"schema: at {database.revision or 'no revision'}, not at {heads}: run `upcast db upgrade`"
        )
    with reading(database.url) as connection:
        entries = registry.all_entries(connection)
        for entry in entries:
            _look_at(connection, entry, _others(entry, entries), result, show)
    return result


def _others(entry: Entry, entries: Sequence[Entry]) -> tuple[str, ...]:
    """The conditions of rows that have an entry of their own, and are none of the column's for the rest."""
    if entry.place.condition:
        return ()
    return tuple(each.place.condition for each in entries if each.place.whole == entry.place and each is not entry)


def _look_at(
    connection: Connection, entry: Entry, others: tuple[str, ...], result: DatabaseValidation, show: OnProgress
) -> None:
    place = str(entry.place)
    if not inspect(connection).has_table(entry.place.table, schema=entry.place.schema or None):
        return  # a migration has taken the whole table away again
    if not entry.finished:
        result.findings.append(f"{place}: a migration to {entry.version} was cut off: run `upcast db upgrade` again")
        return
    if not entry.chain:
        result.findings.append(f"{place}: its chain has no name: name it as module:attribute in the migration")
        return
    state = _state(connection, entry, others, show)
    result.columns.append(state)
    extra = state.failures.count - state.set_aside
    if extra > 0:
        result.findings += [f"{place} {failure}" for failure in state.failures.first]
        result.findings.append(f"{place}: {state.failures.count:,} documents are not valid {entry.version} documents")


def _state(connection: Connection, entry: Entry, others: tuple[str, ...], show: OnProgress) -> ColumnState:
    storage = storage_of(connection, entry)
    if others:
        storage = replace(storage, condition=" AND ".join(f"({each}) IS NOT TRUE" for each in others))
    state = ColumnState(str(entry.place), entry.place.event_type, entry.version)
    state.set_aside = quarantine.count(connection, entry.place)
    upcaster = DocumentUpcaster(
        *(entry.chain, entry.place.event_type, entry.version),
        down=None,
        versioned=bool(entry.version_column),
        allow_loss=True,
        silent=entry.version,
        encoding=entry.encoding,
    )
    documents = upcaster.documents
    total, rows = storage.count(connection), 0
    for batch in storage.batches(connection, None, lock=False):
        for row in batch:
            fault = _fault(upcaster, row, entry)
            if fault and documents.is_no_object(row.document, row.kind):
                state.others += 1
            elif fault:
                state.failures.add(RowFailure(dict(zip(storage.key, row.key, strict=True)), fault))
            state.empty += row.document is None or documents.is_null(row.document)
        rows += len(batch)
        show(rows, total)
    state.documents = rows - state.empty - state.others
    return state


def _fault(upcaster: DocumentUpcaster, row: Row, entry: Entry) -> Fault | None:
    documents = upcaster.documents
    if row.document is None or documents.is_null(row.document):
        return None
    if fault := documents.misplaced(row.kind):
        return fault
    found = upcaster.bring(row.document, None if row.version is None else str(row.version))
    if isinstance(found, Changed) and not documents.same(found.document, row.document, found.version):
        return Fault("detect", "OtherVersion", f"the document is at {found.since}, not at {entry.version}")
    return found if isinstance(found, Fault) else None
