"""A record batch goes in; one comes out with a row for each output of each event, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from upcasters.arrow.columns import Columns, Found, texts_of
from upcasters.arrow.results import FIELDS, Results
from upcasters.arrow.rows import Row
from upcasters.event import kind_of
from upcasters.outcome import DeadLettered, Upcast
from upcasters.upcaster import Upcaster


class ArrowUpcaster:
    """A chain over record batches: ``ArrowUpcaster(chain.upcaster()).upcast(batch)``.

    What comes out has all columns of the batch, with ``value``, ``key`` and ``headers`` brought up, and beside them
    ``type``, ``from_version``, ``version``, ``outcome`` (``upcast``, ``passed``, ``skipped`` or ``dead-lettered``),
    ``reason``, ``step`` and ``fault``, the fingerprint. A skipped or dead-lettered event is one row as it came, so
    that every row that went in can be counted. ``prefix`` goes before the names of the new columns.
    """

    def __init__(self, upcaster: Upcaster, columns: Columns | None = None, prefix: str = "") -> None:
        if not isinstance(upcaster, Upcaster):
            raise TypeError(f"the upcaster is {kind_of(upcaster)}: pass chain.upcaster()")
        self._upcaster = upcaster
        self._columns = columns or Columns()
        self._prefix = prefix

    def schema(self, given: pa.Schema) -> pa.Schema:
        """The schema of what comes out of a table with this one.

        Raises ValueError for a column that is missing, of another type, or in the way of a new one.
        """
        self._columns.of(given)
        schema = given
        for field in FIELDS:
            name = self._prefix + field.name
            if name in given.names:
                raise ValueError(f"the table has a column {name} already: give the new columns a prefix")
            schema = schema.append(field.with_name(name))
        return schema

    def upcast(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that come out of one batch, in order. Raises ValueError as ``schema``."""
        if not isinstance(batch, pa.RecordBatch):
            raise TypeError(f"the batch is {kind_of(batch)}: pass a pyarrow.RecordBatch, or call upcast_table")
        schema = self.schema(batch.schema)
        found = self._columns.of(batch.schema)
        return pa.RecordBatch.from_arrays(self._results(batch, found).columns(batch, found), schema=schema)

    def upcast_table(self, table: pa.Table) -> pa.Table:
        """The same for a table, batch by batch: what Ray Data's ``map_batches`` and DuckDB hand out."""
        return pa.Table.from_batches(self.batches(table.to_batches()), schema=self.schema(table.schema))

    def batches(self, given: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same for many batches, one after the other, as Spark's ``mapInArrow`` hands them out."""
        return map(self.upcast, given)

    def _results(self, batch: pa.RecordBatch, found: Found) -> Results:
        upcast, row, results = self._upcaster.upcast, Row(batch, found), Results()
        place = row if found.topic and found.partition else None
        whole = place is None or not any(batch.column(name).null_count for name in (found.topic, found.partition))
        for number, value in enumerate(texts_of(batch.column(found.value))):
            row.move(number, value)
            outcome = upcast(row, place if whole or row.is_placed else None)
            if isinstance(outcome, Upcast):
                results.upcast(row, outcome)
            elif isinstance(outcome, DeadLettered):
                results.dead_letter(row, outcome.fault)
            else:
                results.unchanged(row, outcome)
        return results
