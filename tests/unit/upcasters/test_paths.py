"""Paths: strings are split at their dots, tuples are taken as they are, and people can read them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcasters.paths import EACH, Each, Path, overlap, path, show

PATHS: list[tuple[Any, Path]] = [
    ("", ()),
    ("a", ("a",)),
    ("a.b.c", ("a", "b", "c")),
    ("nodes.*.status", ("nodes", EACH, "status")),
    ("*", (EACH,)),
    ("a*.b c", ("a*", "b c")),
    ((), ()),
    (("a.b", "", "*", EACH, "é"), ("a.b", "", "*", EACH, "é")),
]


@pytest.mark.parametrize(("spec", "expected"), PATHS)
def test_path(spec: Any, expected: Path) -> None:
    assert path(spec) == expected


@pytest.mark.parametrize("spec", [".", "a.", ".a", "a..b", ("a", 1), ("a", None), ["a"], None, 7, b"a"], ids=repr)
def test_malformed(spec: Any) -> None:
    with pytest.raises(ValueError, match=r"empty part|parts are|string or a tuple"):
        path(spec)


SHOWN: list[tuple[Path, str]] = [
    ((), ""),
    (("a", EACH, "b"), "a.*.b"),
    (("*",), '"*"'),
    (("*a",), '"*a"'),
    (("a.b", ""), '"a.b".""'),
    (("a b",), '"a b"'),
    (('say "hi"',), '"say \\"hi\\""'),
    (("é", "a*"), "é.a*"),
    (("\n",), '"\\n"'),
]


@pytest.mark.parametrize(("spec", "expected"), SHOWN)
def test_shown(spec: Path, expected: str) -> None:
    assert show(spec) == expected


def test_each_is_one_thing() -> None:
    assert repr(EACH) == "EACH"
    assert Each("*") is EACH


@given(st.lists(st.text(max_size=3) | st.just(EACH), max_size=4).map(tuple))
def test_no_two_paths_look_the_same(spec: Path) -> None:
    others = [spec[:-1], (*spec, "a"), (*spec[:-1], "*"), (*spec[:-1], EACH)]
    assert all((show(other) == show(spec)) == (other == spec) for other in others)


OVERLAPS: list[tuple[Path, Path, bool]] = [
    (("a",), ("a",), True),
    (("a",), ("b",), False),
    (("a",), ("a", "b"), True),
    (("a", "b"), ("a",), True),
    (("a", "b"), ("a", "c"), False),
    ((), ("a",), True),
    ((EACH,), ("a", "b"), True),
    (("a", "*"), ("a", EACH), True),
    (("a", "*"), ("a", "b"), False),
]


@pytest.mark.parametrize(("one", "other", "expected"), OVERLAPS)
def test_overlap(one: Path, other: Path, *, expected: bool) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected
