"""Operations at any depth: in linear time, and the same whether a document is opened level by level or in one pass."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.unit.upcasters.generated import (
    SOURCE,
    any_operation,
    by_digits,
    conditions,
    documents,
    operations_for,
    rules,
    text_of,
)
from upcasters import (
    SNAKE_CASE,
    Event,
    Operation,
    anything,
    default,
    drop,
    equals,
    everywhere,
    move,
    present,
    rename,
    rename_keys,
    subdocument,
)
from upcasters.context import Context
from upcasters.document import read, write
from upcasters.duplicates import duplicate_keys
from upcasters.errors import EventError
from upcasters.operations import opened as opening
from upcasters.operations import scopes
from upcasters.operations.keys import RenameKeys

LEVELS = 350


def applied(operation: Operation, body: bytes, deep: int, monkeypatch: pytest.MonkeyPatch) -> bytes | str:
    """What comes out, opened level by level down to ``deep``; the kind of error where there is one."""
    with monkeypatch.context() as patch:
        patch.setattr(scopes, "DEEP", deep)
        patch.setattr(opening, "DEEP", deep)
        around = Context.of(Event(body, b"key", offset=7), SOURCE, "t")
        around.bring = lambda _type, _version, _inner, _to: "1"  # sub-documents need a chain
        try:
            root = read(body)
            operation.apply(root, around)
        except EventError as error:
            return type(error).__name__
        return write(root)


@st.composite
def anywhere(draw: Any) -> tuple[Operation, bytes]:
    body = text_of(draw(documents), draw).encode()
    if draw(st.integers(0, 3)) == 0:
        return rename_keys("", draw(rules), subtree=True, exists=draw(st.sampled_from(["error", "same"]))), body
    operations = draw(operations_for(any_operation, Event(body), 2)) or [default("c", 1)]
    operation = everywhere(draw(conditions), *operations, stop_at=["x.y"])
    return (operation.inverse().operations[0] if draw(st.booleans()) else operation), body


@pytest.fixture(scope="module")
def patch() -> Any:
    return pytest.MonkeyPatch()


@settings(max_examples=200, deadline=None)
@given(made=anywhere())
@example(made=(everywhere(present("b"), drop("b")), b'{"c":{"a":1,"a":2,"c":{"b":1}}}'))
@example(made=(everywhere(present("b"), drop("b")), b'{"c":{"b":1,"a":1,"a":2}}'))
@example(made=(everywhere(present("b"), drop("b")), b'{"c":[{"b":1,"c":{"a":1,"a":2}}]}'))
@example(made=(everywhere(equals("a.b", 1), drop("c")), b'{"c":[{"c":1,"a":{"b":1,"b":1,"a":2}}]}'))
@example(made=(everywhere(present("a.b"), drop("a.b")), b'{"c":[{"c":1,"a":{"b":1,"a":1,"a":2}}]}'))
@example(made=(everywhere(anything(), subdocument("a", "child", version="1", missing="skip")), b'{"b":{"a":{}}}'))
def test_in_one_pass_is_level_by_level(made: tuple[Operation, bytes], patch: pytest.MonkeyPatch) -> None:
    operation, body = made
    by_level, whole = (applied(operation, body, deep, patch) for deep in (1_000, 0))
    if "DecodeError" in (by_level, whole) and isinstance(operation, RenameKeys):
        assert {type(by_level), type(whole)} == {str}, "all is opened, sooner or later"
    elif isinstance(by_level, str) or isinstance(whole, str):
        assert by_level == whole
    else:
        assert by_digits(whole) == by_digits(by_level)


@pytest.mark.parametrize(
    ("operation", "body", "expected"),
    [
        (
            everywhere(present("old"), rename("old", "new")),
            '{"a":[ [{ "x" : 1.10 }, {"b" : {"old":  [1, 2]},"c":{ }}] ]}',
            '{"a":[[{ "x" : 1.10 },{"b":{"new":[1, 2]},"c":{ }}]]}',
        ),
        (
            everywhere(present("gone"), drop("gone")),
            '{"a":[ [{ "x" : 1.10 }]], "b": 1}',
            '{"a":[ [{ "x" : 1.10 }]],"b":1}',
        ),
        (
            everywhere(equals("k", "x"), move("in.k2", "k2")),
            '{"a":[{"k":"x","in":{"k2":{ }}}]}',
            '{"a":[{"k":"x","in":{},"k2":{ }}]}',
        ),
        (
            rename_keys("", SNAKE_CASE, subtree=True),
            '{"aB":[{"c\\u0044":1e2,"e\\"F":"{[\\\\"}]}',
            '{"a_b":[{"c_d":1e2,"e\\"F":"{[\\\\"}]}',
        ),
    ],
)
def test_what_is_not_changed_stays_as_it_is_written(
    operation: Operation, body: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = applied(operation, body.encode(), 0, monkeypatch)
    assert isinstance(outcome, bytes)
    assert outcome.decode() == expected


LOOKED_AT: dict[str, tuple[Operation, bytes, bytes | None]] = {
    "beside what is changed": (
        everywhere(present("old"), rename("old", "new")),
        b'{"a":[{"k":1,"k":2},{"old":1}]}',
        b'{"a":[{"k":1,"k":2},{"new":1}]}',
    ),
    "inside of what is changed": (
        everywhere(present("old"), rename("old", "new")),
        b'{"a":{"old":1,"b":{"k":1, "k":2}}}',
        b'{"a":{"new":1,"b":{"k":1, "k":2}}}',
    ),
    "in the condition": (
        everywhere(equals("in.k", 2), drop("x")),
        b'{"a":{"x":1,"in":{"k":1, "k":2}}}',
        b'{"a":{"in":{"k":1, "k":2}}}',
    ),
    "where a value is lost": (everywhere(present("old"), drop("old")), b'{"a":{"old":1,"k":1,"k":2}}', None),
    "around what is changed": (everywhere(present("old"), drop("old")), b'{"a":{"b":{"old":1},"k":1,"k":2}}', None),
    "in an array around it": (everywhere(present("old"), drop("old")), b'{"a":{"b":[{"old":1}],"k":1,"k":2}}', None),
    "in what an operation opens": (everywhere(present("in"), drop("in.x")), b'{"a":{"in":{"x":1,"k":1,"k":2}}}', None),
}


@pytest.mark.parametrize("deep", [0, 1_000])
@pytest.mark.parametrize(("operation", "body", "expected"), LOOKED_AT.values(), ids=LOOKED_AT.keys())
def test_a_duplicate_key_is_refused_where_a_value_would_be_lost(
    operation: Operation, body: bytes, expected: bytes | None, deep: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = applied(operation, body, deep, monkeypatch)
    assert outcome == ("DecodeError" if expected is None else expected)
    with duplicate_keys("last-wins"):
        assert isinstance(applied(operation, body, deep, monkeypatch), bytes)


def nested(levels: int, inner: bytes) -> bytes:
    return b'{"a":' * levels + inner + b"}" * levels


def cpu_seconds(operation: Operation, body: bytes) -> float:
    root = read(body)
    context = Context.of(Event(body), SOURCE, "t")
    start = time.process_time()
    operation.apply(root, context)
    return time.process_time() - start


@pytest.mark.parametrize(
    "operation",
    [
        everywhere(present("b"), rename("b", "c")),
        everywhere(anything(), default("z", 1)),
        everywhere(present("a.b"), drop("a.b")),
        everywhere(equals("a", "x"), drop("a")),
        everywhere(anything(), default("z", 1)).inverse().operations[0],
        rename_keys("", SNAKE_CASE, subtree=True),
    ],
    ids=str,
)
def test_depth_costs_no_more_than_size(operation: Operation) -> None:
    items = b"[" + b",".join(b'{"b":"%d"}' % number for number in range(20_000)) + b"]"
    deep = min(cpu_seconds(operation, nested(LEVELS, items)) for _ in range(2))
    less = min(cpu_seconds(operation, nested(LEVELS // 8, items)) for _ in range(2))
    assert deep < 3 * less


def test_bytes_of_another_origin_are_not_opened_again() -> None:
    whole = opening.Opened(Raw(b'{"a":[1]}'))
    whole.close(whole.top)
    assert isinstance(whole.top, dict)
    assert whole.again(whole.top["a"]) == [Raw(b"1")]
    assert whole.again(Raw(b"[1]")) is None
