"""Compares the database with the backup: every document must be what the chain makes of the backup's. The guide's third
step: verify data integrity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, inspect

from upcasters import Fault, Reversibility
from worker.database import quarantine, registry, schemas
from worker.database.digest import TableDigest, data_tables, digests, rows_of_all
from worker.database.document_upcaster import Changed, DocumentUpcaster
from worker.database.registry import DocumentSet, Entry
from worker.database.rows import Row, Storage, find_storage
from worker.database.side_effects import table_named
from worker.progress import OnProgress

EXAMPLES = 5


@dataclass
class Comparison:
    """What was looked at, and ``findings``: what is wrong, with coordinates, the first few of each kind."""

    tables: int = 0
    rows: int = 0
    documents: int = 0
    same_back: int = 0
    """Documents that come back the same."""
    equal_back: int = 0
    """Documents that come back as one that means the same."""
    not_back: int = 0
    """Documents whose way cannot be undone."""
    notes: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def find(self, kind: str, where: str) -> None:
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        if count <= EXAMPLES:
            self.findings.append(f"{where}: {kind}")

    def lines(self) -> list[str]:
        """The findings, and how many were left out."""
        more = [f"… {count - EXAMPLES:,} more: {kind}" for kind, count in self._counts.items() if count > EXAMPLES]
        return [*self.findings, *more]


def compare(before: Connection, now: Connection, show: OnProgress) -> Comparison:
    """Every table of ``before`` with the same one ``now``. Both are only read."""
    result = Comparison()
    entries = registry.all_entries(now)
    _compare_tables(before, now, entries, result, show)
    both = {*data_tables(before)} & {*data_tables(now)}
    earlier = {entry.place: entry for entry in registry.all_entries(before)}
    for column in _by_column(entries):
        if _table(column[0]) in both:
            _compare_documents(before, now, column, earlier, result)
    return result


def _by_column(entries: list[Entry]) -> list[list[Entry]]:
    """The entries of each column; several where each is about some of its rows."""
    columns: dict[str, list[Entry]] = {}
    for entry in entries:
        columns.setdefault(str(entry.place), []).append(entry)
    return list(columns.values())


def _table(entry: Entry) -> str:
    return schemas.qualified(entry.place.schema, entry.place.table)


def _compare_tables(
    before: Connection, now: Connection, entries: list[Entry], result: Comparison, show: OnProgress
) -> None:
    total = rows_of_all(now)
    there, here = digests(before), digests(now, lambda rows: show(rows, total))
    brought = {
        (_table(entry), name) for entry in entries for name in (entry.place.column, entry.version_column, *entry.also)
    }
    beside = {table_named(entry.place, name) for entry in entries for name in entry.also}
    for name, table in there.items():
        if name not in here:
            result.find("the table is gone", name)
            continue
        result.tables += 1
        result.rows += here[name].rows
        if name in beside:
            result.notes.append(f"{name}: changes with the documents, as a migration says: not compared")
            continue
        _compare_table(name, table, here[name], brought, result)
    result.notes += [f"{name}: new table, {table.rows:,} rows" for name, table in here.items() if name not in there]


def _compare_table(
    name: str, before: TableDigest, now: TableDigest, brought: set[tuple[str, str]], result: Comparison
) -> None:
    if before.rows != now.rows:
        result.find(f"{before.rows:,} rows before, {now.rows:,} now", name)
    elif before.key != now.key:
        result.find("other primary keys than before", name)
    for column, digest in before.columns.items():
        if column not in now.columns:
            result.notes.append(f"{name}.{column}: the column is gone")
        elif (name, column) not in brought and now.columns[column] != digest:
            result.find("other values than before, in a column that no migration of ours touches", f"{name}.{column}")
    result.notes += [f"{name}.{column}: new column" for column in now.columns if column not in before.columns]


def _compare_documents(
    before: Connection,
    now: Connection,
    column: list[Entry],
    earlier: Mapping[DocumentSet, Entry],
    result: Comparison,
) -> None:
    unnamed = next((entry for entry in column if not entry.chain), None)
    if unnamed:
        result.notes.append(f"{unnamed.place}: its chain has no name, so its documents are not compared")
        return
    judges = [_Judge(entry, earlier.get(entry.place, earlier.get(entry.place.whole)), result) for entry in column]
    for old, new in zip_longest(_rows(before, column), _rows(now, column)):
        if old is None or new is None or old.key != new.key:
            return  # the digests have told that already
        picked = _picked(column, new) or _picked(column, old)
        if not picked and old.document != new.document:
            result.find("changed, and no migration of ours picks this row", _where(column[0], new))
        for place in picked:
            judges[place].compare(old, new)
    for judge in judges:
        judge.end(now)


def _picked(column: list[Entry], row: Row) -> list[int]:
    """Which entries the row is of: those whose condition picks it, else the one for all rows."""
    picked = [place for place, is_picked in enumerate(row.picked) if is_picked]
    return [place for place in picked if column[place].place.condition] or picked


def _rows(connection: Connection, column: list[Entry]) -> Iterator[Row]:
    """All rows of the table in the order of their key, whatever the entries' conditions; each says which pick it."""
    storage = storage_of(connection, column[0], chosen=False)
    conditions = [entry.place.condition for entry in column]
    marks = tuple(each if storage.understands(connection, each) else "1 = 0" for each in conditions)
    for batch in replace(storage, marks=marks).batches(connection, None, lock=False):
        yield from batch


def _where(entry: Entry, row: Row) -> str:
    return f"{entry.place} {', '.join(map(str, row.key))}"


def storage_of(connection: Connection, entry: Entry, *, chosen: bool = True) -> Storage:
    """The column of an entry; ``chosen``: only the rows that its condition picks."""
    place = entry.place
    columns = inspect(connection).get_columns(place.table, schema=place.schema or None)
    has_version = entry.version_column in {each["name"] for each in columns}
    return find_storage(
        connection,
        place.table,
        place.column,
        version_column=entry.version_column if has_version else None,
        condition=place.condition if chosen and place.condition else None,
        schema=place.schema or None,
        binary=entry.encoding != "json",
    )


class _Judge:
    """``known`` is what the backup knows: the version of documents that do not tell theirs. The migration may have been
    told another one, and several may have run since."""

    def __init__(self, entry: Entry, earlier: Entry | None, result: Comparison) -> None:
        self._entry = entry
        self._result = result
        self._failed = 0
        self._migrated = entry.finished and entry != earlier
        known = earlier.settled if earlier else None
        self._ways = [self._upcaster(entry.version, silent) for silent in dict.fromkeys((known, entry.since))]
        self._back: dict[str, DocumentUpcaster] = {}

    def _upcaster(self, to: str, silent: str | None) -> DocumentUpcaster:
        entry = self._entry
        versioned = bool(entry.version_column)
        kind = entry.place.event_type
        return DocumentUpcaster(
            *(entry.chain, kind, to),
            down=None,
            versioned=versioned,
            allow_loss=True,
            silent=silent,
            encoding=entry.encoding,
        )

    def compare(self, old: Row, new: Row) -> None:
        if old.document == new.document:
            self._left(old)
            return
        where = _where(self._entry, new)
        if old.document is None or new.document is None:
            self._result.find("a null that was none, or none that was null", where)
            return
        self._result.documents += 1
        for way in self._ways:
            made = way.bring(old.document, _text(old.version))
            expected = made.document if isinstance(made, Changed) else old.document
            if isinstance(made, Fault) or not way.documents.same(expected, new.document, way.to):
                continue
            if isinstance(made, Changed):
                self._go_back(way, made.since, old.document, new, where)
            return
        self._result.find("not what the chain makes of the backup's document", where)

    def _left(self, row: Row) -> None:
        """A row that a migration has left as it was: it was at the version already, or was put aside."""
        documents = self._ways[0].documents
        if not self._migrated or row.document is None or documents.is_null(row.document):
            return
        if documents.is_no_object(row.document, row.kind):
            return
        made = [way.bring(row.document, _text(row.version)) for way in self._ways]
        if any(each is None or self._is_same(each, row.document) for each in made):
            return
        if any(isinstance(each, Fault) for each in made):
            self._failed += 1
        else:
            where = _where(self._entry, row)
            self._result.find("left as it was, and the chain makes another document of it", where)

    def end(self, now: Connection) -> None:
        """All rows have been looked at."""
        if self._failed > quarantine.count(now, self._entry.place):
            what = f"documents that the chain refuses were left as they were, and not all put aside: {self._failed:,}"
            self._result.find(what, str(self._entry.place))

    def _go_back(self, way: DocumentUpcaster, since: str, old: bytes, new: Row, where: str) -> None:
        kind = way.way_back(since)
        if not kind.reversible:
            self._result.not_back += 1
            return
        back = self._back.get(since) or self._back.setdefault(since, self._upcaster(since, self._entry.version))
        assert new.document is not None  # noqa: S101  # the caller has looked
        down = back.bring(new.document, _text(new.version))
        document = down.document if isinstance(down, Changed) else new.document
        if isinstance(down, Fault):
            self._result.find(f"cannot be brought back to {since}: {down.error_type}", where)
        elif back.documents.same(document, old, since):
            self._result.same_back += 1
        elif kind is not Reversibility.EXACT and self._means_the_same(way, document, since, new.document):
            self._result.equal_back += 1
        else:
            self._result.find(f"brought back to {since} it is another document", where)

    def _means_the_same(self, way: DocumentUpcaster, document: bytes, since: str, new: bytes) -> bool:
        version = since if self._entry.version_column else None
        again = way.bring(document, version)
        return isinstance(again, Changed) and way.documents.same(again.document, new, way.to)

    def _is_same(self, made: Changed | Fault, document: bytes) -> bool:
        way = self._ways[0]
        return isinstance(made, Changed) and way.documents.same(made.document, document, way.to)


def _text(version: Any) -> str | None:
    return None if version is None else str(version)
