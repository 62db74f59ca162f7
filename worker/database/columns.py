"""Two operations for Alembic migrations: upcast a JSON column to a version, or downcast it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection, text

from upcasters import Chain
from worker.database import quarantine, registry, schemas, side_effects
from worker.database.document_upcaster import DocumentUpcaster
from worker.database.encodings import EncodingName
from worker.database.failures import AtRestError
from worker.database.migration_pass import MigratedColumn, MigrationPass
from worker.database.registry import DocumentSet, Entry
from worker.database.rows import Storage, find_storage
from worker.progress import OnProgress

log = logging.getLogger("alembic.upcast")
"""Under Alembic's own logger: its configuration decides what is shown, and where."""

OnFailure = Literal["stop", "set aside"]
Commit = Literal["migration", "batch"]

PROGRESS = "upcast_progress"
"""An attribute of Alembic's configuration: the function that is told how far a column is."""
ALLOW_LOSS = "allow-loss"
"""An attribute of Alembic's configuration, or `alembic -x allow-loss=yes downgrade -1`."""


def upcast_column(
    op: Any,
    table: str,
    column: str,
    *,
    chain: Chain | str,
    event_type: str,
    to: str,
    key: Sequence[str] | None = None,
    version_column: str | None = None,
    where: str | None = None,
    schema: str | None = None,
    on_failure: OnFailure = "stop",
    commit: Commit = "migration",
    since: str | None = None,
    also: Sequence[str] | None = None,
    encoding: EncodingName = "json",
) -> MigratedColumn:
    """Bring every document in a column up to version ``to``, inside an Alembic migration.

    ``op`` is ``alembic.op``. ``chain`` is a chain, or its name as ``module:attribute``, by which ``upcast db
    validate`` finds it again. ``key`` names the columns of a unique key where the table has no primary key.
    ``version_column`` names the column that holds each document's version, if there is one. ``where`` is SQL that
    picks rows, for tables with documents of several types.

    Rows that are there already stay byte for byte. One row that cannot be brought there stops the migration with
    nothing changed, unless ``on_failure="set aside"``: such rows then stay as they are, and the table
    ``<table>_<column>_set_aside`` says why. ``commit="batch"`` is for tables too large for one transaction: all rows
    are tried first, then written in batches that are committed one by one; cut off, it goes on where it was.
    ``since`` is the version of documents that do not tell theirs, where the table ``upcast_columns`` cannot say it.
    ``also`` names columns of the table and other tables that triggers change with the documents; without it, a table
    with triggers at an update, or with a generated column that reads the documents, is refused. ``encoding`` is how the
    column holds its documents: as JSON, or as bytes of Avro or Protobuf by the schemas that the chain's steps name. Of
    these only ``avro-single-object`` tells the version; the others need ``version_column`` or ``since``.

    Raises ``AtRestError`` (an Alembic ``CommandError``) where there is no such table, type or version, and where a step
    splits events or changes their type, key or headers; ``RowsFailedError`` with the rows that failed.
    """
    place = _place(op, table, column, event_type, where, schema)
    storage = _storage(op, place, key, version_column, schema, encoding)
    return _Migration(op, place, storage, chain, to, on_failure, since, also, encoding).run(commit)


def downcast_column(
    op: Any,
    table: str,
    column: str,
    *,
    chain: Chain | str,
    event_type: str,
    to: str,
    key: Sequence[str] | None = None,
    version_column: str | None = None,
    where: str | None = None,
    schema: str | None = None,
    on_failure: OnFailure = "stop",
    commit: Commit = "migration",
    since: str | None = None,
    also: Sequence[str] | None = None,
    allow_loss: bool | None = None,
    encoding: EncodingName = "json",
) -> MigratedColumn:
    """The way back: bring every document in a column down to version ``to``. All else as ``upcast_column``.

    A step that cannot be undone is refused by name before anything changes. ``allow_loss`` takes it all the same and
    logs what goes; None asks the command line: ``upcast db downgrade --allow-loss``, ``alembic -x allow-loss=yes``.
    """
    place = _place(op, table, column, event_type, where, schema)
    accepted = _loss_is_allowed(op) if allow_loss is None else allow_loss
    storage = _storage(op, place, key, version_column, schema, encoding)
    asked = (op, place, storage, chain, to, on_failure, since, also, encoding)
    return _Migration(*asked, down=True, allow_loss=accepted).run(commit)


upcast_json_column, downcast_json_column = upcast_column, downcast_column
"""Their names from when documents were JSON."""


def _place(op: Any, table: str, column: str, event_type: str, where: str | None, schema: str | None) -> DocumentSet:
    if op.get_context().as_sql:
        raise AtRestError(
            f"{table}.{column}: documents are read one by one, which no SQL script can do: run this online",
            code="UPC1916",
        )
    return DocumentSet(table, column, event_type, schemas.of_table(op.get_bind(), table, schema), where or "")


def _storage(
    op: Any,
    place: DocumentSet,
    key: Sequence[str] | None,
    version_column: str | None,
    schema: str | None,
    encoding: str,
) -> Storage:
    return find_storage(
        op.get_bind(),
        place.table,
        place.column,
        key=key,
        version_column=version_column,
        condition=place.condition or None,
        schema=schema,
        binary=encoding != "json",
    )


@dataclass(frozen=True)
class _Migration:
    op: Any
    place: DocumentSet
    storage: Storage
    chain: Chain | str
    to: str
    on_failure: OnFailure
    given_since: str | None
    also: Sequence[str] | None
    encoding: str = "json"
    down: bool = False
    allow_loss: bool = False

    def run(self, commit: Commit) -> MigratedColumn:
        side_effects.refuse_unnamed(self.op.get_bind(), self.place, self.also)
        found = registry.entries(self.op.get_bind())
        before = next((each for each in found if each.place == self.place), None)
        since = self._since(found)
        upcaster = self._upcaster(since)
        self._refuse_what_cannot_work(upcaster, since)
        brought = self._in_batches(upcaster, before, since) if commit == "batch" else self._in_one(upcaster, since)
        log.info(
            "%s: %s rows: %s migrated to %s %s, %s already at it, %s null, %s set aside",
            *(self.place, f"{brought.rows:,}", f"{brought.changed:,}", self.place.event_type, self.to),
            *(f"{brought.unchanged:,}", f"{brought.empty:,}", f"{brought.set_aside:,}"),
        )
        return brought

    def _since(self, found: list[Entry]) -> str | None:
        """The version of documents that do not tell theirs. Where all do, not to know it is no harm."""
        try:
            return self.given_since or registry.settled_version(self.op.get_bind(), self.storage, self.place, found)
        except AtRestError:
            if self._upcaster(None).takes_silent:
                raise
            return None

    def _refuse_what_cannot_work(self, upcaster: DocumentUpcaster, since: str | None) -> None:
        upcaster.refuse_what_cannot_work(since)
        for loss in upcaster.losses(since):
            log.warning("%s: the downcast to %s loses data: %s", self.place, self.to, loss)

    def _in_one(self, upcaster: DocumentUpcaster, since: str | None) -> MigratedColumn:
        """In the migration's own transaction. The entry is written first: with it SQLite's only writer is we."""
        connection: Connection = self.op.get_bind()
        registry.note(connection, self._entry(since))
        self.storage.lock(connection)
        self.storage.refuse_a_key_that_is_none(connection)
        return self._locked(connection, upcaster)

    def _in_batches(self, upcaster: DocumentUpcaster, before: Entry | None, since: str | None) -> MigratedColumn:
        """Every row is tried before the first one is written; then a transaction a batch, with a bookmark in each. At
        the end one look over all rows, while nobody else may write: some may have come meanwhile."""
        with self.op.get_context().autocommit_block():
            connection: Connection = self.op.get_bind()
            self.storage.refuse_a_key_that_is_none(connection)
            start = before.done_up_to if before and before.version == self.to else None
            if start is None:
                self._pass(connection, upcaster, write=False).run(None, lambda: _transaction(connection))
            else:
                log.info("%s: continuing after key %s", self.place, start)
            with _transaction(connection):
                self._begin_aside(connection)
            written = self._pass(connection, upcaster).run(
                start,
                lambda: _transaction(connection),
                lambda key: registry.note(connection, replace(self._entry(since), done_up_to=key)),
            )
            with _transaction(connection):
                brought = self._locked(connection, self._upcaster(self.to))
                registry.note(connection, self._entry(since))
        return replace(
            brought, changed=brought.changed + written.changed, unchanged=brought.unchanged - written.changed
        )

    def _upcaster(self, silent: str | None) -> DocumentUpcaster:
        return DocumentUpcaster(
            self.chain,
            self.place.event_type,
            self.to,
            down=self.down,
            versioned=self.storage.version_column is not None,
            allow_loss=self.allow_loss,
            silent=silent,
            encoding=self.encoding,
        )

    def _locked(self, connection: Connection, upcaster: DocumentUpcaster) -> MigratedColumn:
        self.storage.lock(connection)
        self._begin_aside(connection)
        ending = self._pass(connection, upcaster)
        brought = ending.run()
        if brought.others:
            more = f" … and {brought.others - len(ending.others):,} more" if brought.others > len(ending.others) else ""
            rows = "; ".join(ending.others) + more
            log.warning(
                "%s: %s rows hold JSON that is no object and stay as they are: %s", self.place, brought.others, rows
            )
        return brought

    def _pass(self, connection: Connection, upcaster: DocumentUpcaster, *, write: bool = True) -> MigrationPass:
        sets_aside = self.on_failure == "set aside"
        return MigrationPass(self.place, self.storage, upcaster, connection, write, sets_aside, self._show)

    def _begin_aside(self, connection: Connection) -> None:
        if self.on_failure == "set aside":
            quarantine.begin(connection, self.place)

    def _entry(self, since: str | None) -> Entry:
        name = self.chain if isinstance(self.chain, str) else self.chain.name
        storage = self.storage
        also = tuple(self.also or ())
        return Entry(self.place, name, self.to, since, storage.version_column or "", also=also, encoding=self.encoding)

    @property
    def _show(self) -> OnProgress:
        given: OnProgress | None = _attributes(self.op).get(PROGRESS)
        return given or (lambda _done, _total: None)


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """One of our own where Alembic has switched transactions off."""
    connection.execute(text("BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else "BEGIN"))
    try:
        yield
    except BaseException:
        connection.execute(text("ROLLBACK"))
        raise
    connection.execute(text("COMMIT"))


def _attributes(op: Any) -> dict[str, Any]:
    config = op.get_context().config
    return dict(config.attributes) if config else {}


def _loss_is_allowed(op: Any) -> bool:
    config = op.get_context().config
    if config is None:
        return False
    given = getattr(config.cmd_opts, "x", None) or []
    return bool(config.attributes.get(ALLOW_LOSS)) or f"{ALLOW_LOSS}=yes" in given
