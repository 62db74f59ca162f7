"""What became of the rows of one batch, put together as columns: whatever did not change is the column that came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

import pyarrow as pa

from upcasters.arrow.columns import Found
from upcasters.arrow.rows import Row
from upcasters.event import Header
from upcasters.outcome import Fault, Passage, Passed, Skipped, Upcast

_TEXT = pa.dictionary(pa.int32(), pa.string())


class Label(NamedTuple):
    """What is told of an output; most outputs of a batch share a few of these."""

    type: str
    from_version: str
    version: str
    outcome: str
    reason: str = ""
    step: str = ""
    fault: str = ""


FIELDS = tuple(pa.field(name, _TEXT) for name in Label._fields)


class Results:
    """The outputs of one batch, in order."""

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._values: list[bytes | None] = []
        self._told: list[int] = []
        self._labels: dict[Label, int] = {}
        self._upcasts: dict[int, int] = {}
        self._keys: dict[int, bytes | None] = {}
        self._headers: dict[int, Sequence[Header]] = {}

    def upcast(self, row: Row, outcome: Upcast) -> None:
        """One row for each record; by far most often one, with the key and headers of the source."""
        passage = id(outcome.passage)  # one object per way, as long as the upcaster lives
        told = self._upcasts.get(passage)
        if told is None:
            told = self._upcasts[passage] = self._label(_of(outcome.passage, "upcast"))
        if outcome.new_records is None:
            self._add(row.number, outcome.new_value, told)
            return
        for record in outcome.new_records:
            place = len(self._rows)
            if record.key != row.key:
                self._keys[place] = record.key
            if record.headers != row.headers:
                self._headers[place] = record.headers
            self._add(row.number, record.value, told)

    def unchanged(self, row: Row, outcome: Passed | Skipped) -> None:
        """The row as it came."""
        said = "passed" if type(outcome) is Passed else "skipped"
        self._add(row.number, row.value, self._label(_of(outcome.passage, said, outcome.reason)))

    def dead_letter(self, row: Row, fault: Fault) -> None:
        """The row as it came, with its fault."""
        reason = f"{fault.error_type}: {fault.message}"
        label = Label(
            fault.event_type,
            fault.from_version,
            "",
            "dead-lettered",
            reason,
            fault.step or fault.stage,
            fault.fingerprint,
        )
        self._add(row.number, row.value, self._label(label))

    def columns(self, batch: pa.RecordBatch, found: Found) -> list[pa.Array]:
        """All columns of the batch, then ``FIELDS``."""
        rows = None if self._rows == list(range(batch.num_rows)) else pa.array(self._rows, pa.int64())
        columns = []
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name == found.value:
                columns.append(pa.array(self._values, column.type))
            elif name == found.key and self._keys:
                columns.append(_replaced(column, self._rows, self._keys, pa.array(self._keys.values(), column.type)))
            elif name == found.headers and self._headers:
                made = _headers_array(self._headers.values(), column.type)
                columns.append(_replaced(column, self._rows, self._headers, made))
            else:
                columns.append(column if rows is None else column.take(rows))
        return columns + self._told_columns()

    def _add(self, row: int, value: bytes | None, told: int) -> None:
        self._rows.append(row)
        self._values.append(value)
        self._told.append(told)

    def _label(self, label: Label) -> int:
        return self._labels.setdefault(label, len(self._labels))

    def _told_columns(self) -> list[pa.Array]:
        """Each label's text for all outputs that have it: no string is made for an output."""
        told = pa.array(self._told, pa.int32())
        columns = []
        for texts in zip(*self._labels, strict=True) if self._labels else [()] * len(FIELDS):
            encoded = pa.array([text or None for text in texts], pa.string()).dictionary_encode()
            columns.append(pa.DictionaryArray.from_arrays(encoded.indices.take(told), encoded.dictionary))
        return columns


def _of(passage: Passage, outcome: str, reason: str = "") -> Label:
    version = passage.to_version if outcome != "skipped" else ""
    return Label(passage.event_type, passage.from_version, version, outcome, reason)


def _replaced(column: pa.Array, rows: Sequence[int], changed: Iterable[int], others: pa.Array) -> pa.Array:
    """The column's rows, with ``others`` in the places ``changed``."""
    if len(others) == len(rows):
        return others
    places = list(rows)
    for number, place in enumerate(changed):
        places[place] = len(column) + number
    return pa.concat_arrays([column, others]).take(pa.array(places, pa.int64()))


def _headers_array(headers: Iterable[Sequence[Header]], kind: pa.DataType) -> pa.Array:
    """Lists of pairs as a list or map column, made of three flat ones."""
    lists = list(headers)
    offsets = pa.array(accumulate(map(len, lists), initial=0), pa.int64() if _is_large(kind) else pa.int32())
    texts, values = list(zip(*chain.from_iterable(lists), strict=True)) or ((), ())
    names = [text.encode("utf-8", "surrogateescape") for text in texts]
    if pa.types.is_map(kind):
        return pa.MapArray.from_arrays(
            offsets, pa.array(names, kind.key_type), pa.array(values, kind.item_type), type=kind
        )
    pair = kind.value_type
    arrays = [pa.array(part, field.type) for part, field in zip((names, values), pair, strict=True)]
    flat = pa.StructArray.from_arrays(arrays, fields=list(pair))
    return (pa.LargeListArray if _is_large(kind) else pa.ListArray).from_arrays(offsets, flat, type=kind)


def _is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_list(kind))
