"""Going along a path opens only what lies on it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from upcasters.document import read, write
from upcasters.errors import EventError, MissingField, WrongType
from upcasters.paths import Path, path
from upcasters.traversal import MISSING, find, objects, parent_of, slots

DOCUMENT = b'{"a":{"b":[{"c":1.10},{ "c" : 2 }],"d": { } },"e":[[ 1 ],[2]],"n":null}'


def opened(node: Any) -> Any:
    """The document with Raw for all that is not opened."""
    if isinstance(node, dict):
        return {key: opened(child) for key, child in node.items()}
    if isinstance(node, list):
        return [opened(child) for child in node]
    return Raw if isinstance(node, Raw) else node


def test_only_what_lies_on_the_path_is_opened() -> None:
    root = read(DOCUMENT)
    assert [bytes(parent[key]) for parent, key in slots(root, path("a.b.*.c"))] == [b"1.10", b"2"]
    assert opened(root) == {"a": {"b": [{"c": Raw}, {"c": Raw}], "d": Raw}, "e": Raw, "n": Raw}
    assert write(root) == b'{"a":{"b":[{"c":1.10},{"c":2}],"d":{ }},"e":[[ 1 ],[2]],"n":null}'


def test_items_and_values() -> None:
    root = read(DOCUMENT)
    assert [bytes(parent[key]) for parent, key in slots(root, path("e.*.*"))] == [b"1", b"2"]
    assert [key for _, key in slots(root, path("a.*"))] == ["b", "d"]
    assert list(objects(root, ())) == [root]


MISSES: list[tuple[str, type[EventError], str]] = [
    ("x", MissingField, "x"),
    ("a.x", MissingField, "a.x"),
    ("a.b.*.x", MissingField, "a.b.*.x"),
    ("n.x", WrongType, "n"),
    ("e.x", WrongType, "e"),
    ("a.b.*.c.x", WrongType, "a.b.*.c"),
    ("n.*", WrongType, "n"),
]


@pytest.mark.parametrize(("spec", "error", "where"), MISSES)
def test_what_is_not_there(spec: str, error: type[EventError], where: str) -> None:
    with pytest.raises(error) as caught:
        list(slots(read(DOCUMENT), path(spec)))
    assert (type(caught.value), caught.value.path) == (error, where)
    assert list(slots(read(DOCUMENT), path(spec), "skip", "skip")) == []


def test_an_array_where_objects_are_asked_for() -> None:
    root = read(DOCUMENT)
    with pytest.raises(WrongType, match="e is an array, not an object"):
        list(objects(root, path("e")))
    assert list(objects(root, path("e"), wrong_type="skip")) == []


@pytest.mark.parametrize("spec", ["x", "a.x", "n.x", "e.x", "a.b.c", "x.y"])
def test_finds_nothing(spec: str) -> None:
    root = read(DOCUMENT)
    assert find(root, path(spec)) is MISSING


def test_finds() -> None:
    root = read(DOCUMENT)
    assert find(root, ()) is root
    assert bytes(find(root, path("n"))) == b"null"
    assert bytes(find(root, path("a.d"))) == b"{ }"
    assert opened(root)["a"] == {"b": Raw, "d": Raw}
    assert find(root, path("a.d.x")) is MISSING


def test_the_parent() -> None:
    root = read(DOCUMENT)
    assert parent_of(root, path("x"), create=False) is root
    assert parent_of(root, path("a.d.x"), create=False) == {}
    parent_of(root, path("x.y.z"), create=True)["z"] = 1
    assert write(root).endswith(b',"x":{"y":{"z":1}}}')


@pytest.mark.parametrize(
    ("spec", "error", "where"),
    [("x.y", MissingField, "x"), ("a.x.y", MissingField, "a.x"), ("e.x", WrongType, "e"), ("n.x", WrongType, "n")],
)
def test_no_parent(spec: str, error: type[EventError], where: str) -> None:
    with pytest.raises(error) as caught:
        parent_of(read(DOCUMENT), path(spec), create=False)
    assert caught.value.path == where


def test_no_parent_is_made_of_what_is_none() -> None:
    with pytest.raises(WrongType):
        parent_of(read(DOCUMENT), path("n.x"), create=True)


def test_a_path_as_people_write_it_is_one() -> None:
    spec: Path = path(("a", "b"))
    assert bytes(find(read(DOCUMENT), spec)).startswith(b"[")
