"""Nodes: read, written, compared, and taken for what they are."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from upcasters.document import (
    ExactFloat,
    encode,
    from_plain,
    is_null,
    json_type,
    open_array,
    open_container,
    open_object,
    plain,
    read,
    restamped,
    same,
    write,
)
from upcasters.errors import DecodeError, EncodeError, WrongType

NUMBERS = st.sampled_from(["0", "-1", "0.0", "1.10", "1e400", "1E2", "9223372036854775809", "1e-7", "1" * 50])


@given(NUMBERS)
def test_a_number_keeps_its_digits(text: str) -> None:
    for value in (plain(Raw(text.encode())), copy.deepcopy(plain(Raw(text.encode())))):
        assert encode(value) == text.encode()
        assert encode(from_plain([{"a": value}])) == b'[{"a":%s}]' % text.encode()


def test_what_cannot_be_read() -> None:
    for value, message in (
        (b"\xff", "not UTF-8"),
        (b"[]", "not an object"),
        (b"{", "not JSON"),
        (b'{"a":' * 100_000, "deeper than the reader goes"),
    ):
        with pytest.raises(DecodeError, match=message):
            read(value)
    with pytest.raises(WrongType, match="a holds a number too large"):
        plain(Raw(b"1" * 5000), ("a",))


def test_what_cannot_be_written() -> None:
    for root in ({"a": object()}, {"a": "\ud800"}, {"a": 10**5000}):
        with pytest.raises(EncodeError):
            write(root)
    for value, message in (
        (float("inf"), "became NaN or infinite"),
        (b"", "became a bytes"),
        ({1: 1}, "has a key of type int"),
        ({"\udfff": 1}, "cannot be written"),
        (["\udfff"], "cannot be written"),
        (10**5000, "cannot be written"),
    ):
        with pytest.raises(EncodeError, match=message) as caught:
            from_plain(value, ("x", "y"))
        assert caught.value.path == "x.y"


def test_a_result_is_not_shared_with_what_made_it() -> None:
    made: dict[str, Any] = {"a": "x", "b": {"c": "y"}, "d": [1, (2, None)]}
    result = from_plain(made)
    assert result == {"a": "x", "b": {"c": "y"}, "d": [1, [2, None]]}
    result["b"]["c"] = result["d"][1][0] = "changed"
    assert made == {"a": "x", "b": {"c": "y"}, "d": [1, (2, None)]}
    flat = {"a": "x"}
    assert from_plain(flat) is not flat


NODES: list[tuple[Any, str]] = [
    (Raw(b"{}"), "object"),
    ({}, "object"),
    (Raw(b"[]"), "array"),
    ([], "array"),
    (Raw(b'""'), "string"),
    ("", "string"),
    (Raw(b"true"), "boolean"),
    (Raw(b"false"), "boolean"),
    (True, "boolean"),
    (Raw(b"null"), "null"),
    (None, "null"),
    (Raw(b"-1"), "number"),
    (Raw(b"0"), "number"),
    (1, "number"),
    (ExactFloat("1.0"), "number"),
]


@pytest.mark.parametrize(("node", "kind"), NODES, ids=repr)
def test_the_type_of_a_node(node: Any, kind: str) -> None:
    assert json_type(node) == kind
    assert is_null(node) is (kind == "null")
    for opened, kinds in ((open_object, {"object"}), (open_array, {"array"}), (open_container, {"object", "array"})):
        if kind in kinds:
            assert opened(node) in ({}, [])
        else:
            with pytest.raises(WrongType, match=f"a.b is (an? )?{kind}, not an"):
                opened(node, ("a", "b"))


def test_an_open_node_is_opened_in_its_place() -> None:
    opened: dict[str, Any] = {}
    items: list[Any] = []
    assert open_object(opened) is open_container(opened) is opened
    assert open_array(items) is open_container(items) is items


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1", "1.0", True),
        ("1.0", "1.00", True),
        ("1", "true", False),
        ("0", "false", False),
        ("true", "true", True),
        ("1e400", "1e400", True),
        ("1e400", "2e400", False),
        ("1e400", "-1e400", False),
        ('"\\u0061"', '"a"', True),
        ('{"a":1,"b":[1,2]}', '{"b" : [1.0,2], "a":1}', True),
        ('{"a":1}', '{"a":1,"b":2}', False),
        ("[1,2]", "[2,1]", False),
        ("[1]", "[1,1]", False),
        ("[]", "{}", False),
        ("null", '"null"', False),
        ("9007199254740993", "9007199254740992.0", False),
    ],
)
def test_json_equality(one: str, other: str, equal: bool) -> None:
    assert same(Raw(one.encode()), Raw(other.encode())) is equal
    assert same(Raw(other.encode()), plain(Raw(one.encode()))) is equal


@pytest.mark.parametrize(
    ("old", "version", "new"),
    [
        ("1", "2", b"2"),
        ("1", "2.0", b"2.0"),
        ("1", "2024-06-01", b'"2024-06-01"'),
        ("1", "", b'""'),
        ("1", "null", b'"null"'),
        ("1", "true", b'"true"'),
        ('"1"', "2", b'"2"'),
        ("null", "2", b'"2"'),
    ],
)
def test_a_version_keeps_the_type_of_the_old_one(old: str, version: str, new: bytes) -> None:
    assert encode(restamped(Raw(old.encode()), version)) == new
