"""Record batches through a chain: the same outcomes as event by event, whatever form the columns have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    DeadLettered,
    Detection,
    Event,
    FromHeader,
    Passed,
    Skipped,
    SourcePartition,
    Step,
    Upcast,
    default,
    drop_event,
    equals,
    rename,
    set_key,
    split_each,
    when,
)
from upcasters.arrow import ArrowUpcaster, Columns
from upcasters.arrow.columns import numbers_of
from upcasters.arrow.rows import Row

UPCASTER = Chain(
    [
        Step(
            "order",
            "1",
            "2",
            [when(equals("kind", "heartbeat"), drop_event()), rename("id", "order_id"), default("currency", "EUR")],
            lossy="nobody waits for a heartbeat",
        ),
        Step("basket", "1", "2", [split_each("lines", into="line", item="line")], lossy="lines go by themselves"),
        Step("moved", "1", "2", [set_key("to")], lossy="the old key names nobody"),
    ],
    [Baseline("order", "1"), Baseline("basket", "1"), Baseline("line", "2"), Baseline("moved", "1")],
    detection=Detection((FromHeader("type"), Always("order")), (FromHeader("version"), Always("1"))),
).upcaster()

Pairs = list[tuple[str, bytes | None]]


def pairs(kind: str, version: str = "1") -> Pairs:
    return [("trace", None), ("type", kind.encode()), ("version", version.encode())]


EVENTS: list[tuple[bytes | None, Pairs | None]] = [
    (b'{"id": 1, "note": "\xc3\xa9"}', pairs("order")),
    (None, None),
    (b'{"no": 1}', pairs("order")),
    (b'{"kind": "heartbeat"}', pairs("order")),
    (b'{"lines": [1, 2]}', pairs("basket")),
    (b'{"to": "z"}', pairs("moved")),
    (b'{"to": "y"}', [("type", b"moved")]),
    (b'{"id": 2}', []),
    (b'{"order_id": 3}', pairs("order", "2")),
    (b'{"lines": []}', pairs("basket")),
]
HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))


def batch(pairs_type: pa.DataType = HEADERS, text: pa.DataType | None = None, **columns: pa.Array) -> pa.RecordBatch:
    """The events as Spark's Kafka source has them, with a column that the chain does not know."""
    count, kind = len(EVENTS), text or pa.binary()
    structs = not pa.types.is_map(pairs_type)

    def spelled(given: Pairs | None) -> Any:
        """A map takes pairs, a struct is a dict with the names of its fields."""
        if given is None or not structs:
            return given
        return [dict(zip([field.name for field in pairs_type.value_type], pair, strict=True)) for pair in given]

    given = {
        "key": pa.array([b"k%d" % number for number in range(count)], kind),
        "value": pa.array([value for value, _ in EVENTS], kind),
        "headers": pa.array([spelled(each) for _, each in EVENTS], pairs_type),
        "topic": pa.array(["orders"] * count),
        "partition": pa.array([3] * count, pa.int32()),
        "offset": pa.array(range(count), pa.int64()),
        "timestamp": pa.array([1_700_000_000_000_000 + number for number in range(count)], pa.timestamp("us", "UTC")),
        "file": pa.array([f"part-{number}" for number in range(count)]),
    }
    return pa.RecordBatch.from_pydict({**given, **columns})


def expected() -> list[dict[str, Any]]:
    """Event by event, without Arrow."""
    found: list[dict[str, Any]] = []
    for number, (value, headers) in enumerate(EVENTS):
        event = Event(value, b"k%d" % number, headers or (), 1_700_000_000_000, number)
        outcome = UPCASTER.upcast(event, SourcePartition("orders", 3))
        told = said(outcome)
        found += [
            {"key": record.key, "value": record.value, "headers": list(record.headers), **told}
            for record in outcome.output(event) or (event,)
        ]
    return found


def said(outcome: Upcast | Passed | Skipped | DeadLettered) -> dict[str, str | None]:
    told: tuple[str | None, ...]
    if isinstance(outcome, DeadLettered):
        fault = outcome.fault
        told = (fault.event_type, fault.from_version, None, "dead-lettered", fault.step, fault.fingerprint)
    else:
        passage, kind = outcome.passage, {Upcast: "upcast", Passed: "passed", Skipped: "skipped"}[type(outcome)]
        version = None if kind == "skipped" else passage.to_version
        told = (passage.event_type, passage.from_version, version, kind, None, None)
    names = ("type", "from_version", "version", "outcome", "step", "fault")
    return {name: text or None for name, text in zip(names, told, strict=True)}


def rows(found: pa.RecordBatch | pa.Table) -> list[dict[str, Any]]:
    """The rows in the form of ``expected``."""
    found.validate(full=True)
    return [{**row, **{name: plain(row[name]) for name in ("key", "value", "headers")}} for row in found.to_pylist()]


def plain(part: Any) -> Any:
    if isinstance(part, str):
        return part.encode()
    if isinstance(part, list):
        return [tuple(each.values()) if isinstance(each, dict) else tuple(each) for each in part]
    return part


def compared(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    names = expected()[0]
    return [{name: row[name] if name != "headers" else row[name] or [] for name in names} for row in found]


FORMS: dict[str, Callable[[], pa.RecordBatch]] = {
    "as Spark has them": batch,
    "texts": lambda: batch(text=pa.string()),
    "large": lambda: batch(
        pa.large_list(pa.struct([("k", pa.large_string()), ("v", pa.large_binary())])), pa.large_binary()
    ),
    "a map": lambda: batch(pa.map_(pa.string(), pa.binary()), pa.large_string()),
    "names as bytes": lambda: batch(pa.list_(pa.struct([("key", pa.binary()), ("value", pa.binary())]))),
    "milliseconds": lambda: batch(timestamp=pa.array([5] * len(EVENTS))),
    "a dictionary": lambda: batch(topic=pa.array(["orders"] * len(EVENTS)).dictionary_encode()),
    "a slice": lambda: pa.Table.from_batches([batch(), batch()]).combine_chunks().to_batches()[0].slice(len(EVENTS)),
}


def names_as_text(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in found:
        row["headers"] = [(name if isinstance(name, str) else name.decode(), value) for name, value in row["headers"]]
    return found


@pytest.mark.parametrize("form", FORMS)
def test_what_comes_out_is_what_comes_out_event_by_event(form: str) -> None:
    given = FORMS[form]()
    found = ArrowUpcaster(UPCASTER).upcast(given)
    assert names_as_text(compared(rows(found))) == expected()
    assert found.schema == ArrowUpcaster(UPCASTER).schema(given.schema)


def test_each_row_keeps_what_the_chain_does_not_know() -> None:
    found = ArrowUpcaster(UPCASTER).upcast(batch()).to_pydict()
    places = [0, 1, 2, 3, 4, 4, *range(5, len(EVENTS))]
    assert found["file"] == [f"part-{number}" for number in places]
    assert found["offset"] == places
    assert found["reason"][1:4] == ["tombstone", "MissingField: id is missing", "dropped"]


def test_a_column_that_does_not_change_is_passed_on() -> None:
    given = batch().slice(0, 4)
    found = ArrowUpcaster(UPCASTER).upcast(given)
    for name in ("key", "timestamp", "file", "offset"):
        assert [each and each.address for each in found.column(name).buffers()] == [
            each and each.address for each in given.column(name).buffers()
        ]


def test_all_headers_may_change() -> None:
    found = ArrowUpcaster(UPCASTER).upcast(batch().slice(0, 1))
    assert compared(rows(found)) == expected()[:1]


def test_no_numbers_come_out_of_none() -> None:
    assert numbers_of(pa.array([], pa.int32())) == []


def test_a_row_has_what_an_event_has_and_no_more() -> None:
    row = Row(batch(), Columns().of(batch().schema))
    assert (row.key, row.offset) == (b"k0", 0)
    row.move(1, None)
    assert (row.key, row.offset, row.headers) == (b"k1", 1, ())
    with pytest.raises(AttributeError, match="size"):
        row.size  # noqa: B018  # raises


def test_a_value_alone_is_enough() -> None:
    table = pa.table({"body": ['{"id": 1}', "not JSON", None]})
    with pytest.raises(ValueError, match="there is no column value: the table has body"):
        ArrowUpcaster(UPCASTER).upcast_table(table)
    columns = Columns(value="body")
    chain = Chain(
        [Step("order", "1", "2", [rename("id", "order_id")])], detection=Detection((Always("order"),), (Always("1"),))
    )
    found = ArrowUpcaster(chain.upcaster(), columns, prefix="upcast_").upcast_table(table)
    assert found.column("body").to_pylist() == ['{"order_id":1}', "not JSON", None]
    assert found.column("upcast_outcome").to_pylist() == ["upcast", "dead-lettered", "passed"]


def test_a_row_without_an_offset_is_a_dead_letter_only_where_it_is_needed() -> None:
    missing = pa.array([None] * len(EVENTS), pa.int32())
    found = ArrowUpcaster(UPCASTER).upcast(batch(partition=missing)).to_pydict()
    assert found["outcome"][:2] == ["upcast", "passed"]
    assert found["reason"][4].startswith("NoCoordinates")
    bare = batch().select(["value", "headers"])
    assert ArrowUpcaster(UPCASTER).upcast(bare).to_pydict()["reason"][4].startswith("NoCoordinates")


def test_no_rows_come_out_of_none() -> None:
    given = batch()
    assert ArrowUpcaster(UPCASTER).upcast(given.slice(0, 0)).num_rows == 0
    assert ArrowUpcaster(UPCASTER).upcast_table(pa.Table.from_batches([], given.schema)).num_rows == 0
    empty = pa.RecordBatch.from_pylist([], given.schema)
    assert next(ArrowUpcaster(UPCASTER).batches([empty])).num_rows == 0


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("value", pa.array([1] * len(EVENTS)), "column value is int64: it has to be binary or string"),
        ("key", pa.array([1.5] * len(EVENTS)), "column key is double"),
        ("headers", pa.array([["a"]] * len(EVENTS)), "column headers is list<.*>: it has to be a list of structs"),
        ("headers", pa.array(["a"] * len(EVENTS)), "column headers is string"),
        ("timestamp", pa.array(["now"] * len(EVENTS)), "column timestamp is string"),
        ("offset", pa.array(["1"] * len(EVENTS)), "column offset is string: it has to be a whole number"),
        ("topic", pa.array([1] * len(EVENTS)), "column topic is int64"),
        ("type", pa.array([1] * len(EVENTS)), "has a column type already: give the new columns a prefix"),
    ],
)
def test_a_column_that_does_not_fit_is_named(column: str, values: pa.Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ArrowUpcaster(UPCASTER).upcast(batch(**{column: values}))


def test_a_column_that_was_named_has_to_be_there() -> None:
    with pytest.raises(ValueError, match="there is no column part: the table has key, value"):
        ArrowUpcaster(UPCASTER, Columns(origin=("topic", "part", "offset"))).upcast(batch())


def test_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match=r"a Table: pass a pyarrow\.RecordBatch, or call upcast_table"):
        ArrowUpcaster(UPCASTER).upcast(pa.table({"value": []}))
    with pytest.raises(TypeError, match=r"pass chain\.upcaster"):
        ArrowUpcaster(UPCASTER.chain)  # type: ignore[arg-type]  # wrong on purpose
