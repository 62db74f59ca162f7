"""Questions about a document."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from upcasters import (
    EVENT_TYPE,
    KEY,
    TIMESTAMP,
    VERSION,
    Baseline,
    Condition,
    Event,
    Reversibility,
    StepError,
    absent,
    add,
    any_present,
    anything,
    at,
    between,
    equals,
    has_type,
    header,
    is_null_at,
    length,
    matches,
    one_of,
    present,
    rename,
    set_header,
    starts_with,
    value_at,
    when,
)
from upcasters.context import Context
from upcasters.document import read, write

DOCUMENT = '{"a":1.0,"o":{"x":null,"a.b":"\\u0061","":true},"l":[ {} ],"n":null,"e":{}}'

ANSWERS: list[tuple[Condition, bool, str]] = [
    (present("a"), True, "a is present"),
    (present("n"), True, "n is present"),
    (present("o.x", "a"), True, "(o.x is present and a is present)"),
    (present("o.y"), False, "o.y is present"),
    (present("a", "z"), False, "(a is present and z is present)"),
    (present("l.x"), False, "l.x is present"),
    (present("n.x"), False, "n.x is present"),
    (present(("o", "a.b")), True, 'o."a.b" is present'),
    (present(("o", "")), True, 'o."" is present'),
    (absent("z"), True, "not z is present"),
    (absent("z", "a"), False, "(not z is present and not a is present)"),
    (any_present("z", "a"), True, "(z is present or a is present)"),
    (any_present("z"), False, "(z is present)"),
    (equals("a", 1), True, "a equals 1"),
    (equals("a", True), False, "a equals True"),
    (equals("a", "1"), False, "a equals '1'"),
    (equals(("o", "a.b"), "a"), True, "o.\"a.b\" equals 'a'"),
    (equals("l", [{}]), True, "l equals [{}]"),
    (equals("e", {}), True, "e equals {}"),
    (equals("n", None), True, "n equals None"),
    (equals("z", None), False, "z equals None"),
    (has_type("a", "number"), True, "a is a number"),
    (has_type("l", "object", "array"), True, "l is an object or an array"),
    (has_type("z", "null"), False, "z is null"),
    (is_null_at("n"), True, "n is null"),
    (is_null_at("o.x"), True, "o.x is null"),
    (is_null_at("a"), False, "a is null"),
    (is_null_at("z"), False, "z is null"),
    (anything(), True, "always"),
    (~anything(), False, "not always"),
    (present("a") & present("z"), False, "(a is present and z is present)"),
    (present("a") | present("z"), True, "(a is present or z is present)"),
    (~present("a"), False, "not a is present"),
    (present("a") & ~(present("z") | present("y")), True, "(a is present and not (z is present or y is present))"),
]


@pytest.mark.parametrize(("condition", "expected", "text"), ANSWERS, ids=str)
def test_answers(condition: Condition, text: str, *, expected: bool) -> None:
    root = read(DOCUMENT.encode())
    assert condition.test(root) is expected
    assert str(condition) == text
    assert write(root).decode() == DOCUMENT


def test_what_an_answer_depends_on() -> None:
    condition = (present("a", "b.c") | equals("d", 1)) & ~has_type("e", "null") & is_null_at("f") & anything()
    assert condition.reads() == (("a",), ("b", "c"), ("d",), ("e",), ("f",))


NUMBERS = (
    '{"n":1.00000000000000000001,"big":1e9999999999999999999,"less":-1e9999999999999999999,'
    '"tiny":1e-9999999999999999999,"t":"2024-05-01","b":true}'
)

RANGES: list[tuple[Condition, bool, str]] = [
    (one_of("n", [1, 2]), False, "n is one of 1, 2"),
    (one_of("b", [1]), False, "b is one of 1"),
    (one_of("b", [True, None]), True, "b is one of None, True"),
    (one_of("z", [None]), False, "z is one of None"),
    (matches("t", "^2024-"), True, "t matches '^2024-'"),
    (matches("t", "^05"), False, "t matches '^05'"),
    (matches("n", "1"), False, "n matches '1'"),
    (starts_with("t", "2023", "2024"), True, "t starts with '2023' or '2024'"),
    (starts_with("z", ""), False, "z starts with ''"),
    (between("n", above=1), True, "n is above 1"),
    (between("n", at_least=1, at_most=1), False, "n is at least 1 and at most 1"),
    (between("b", at_least=0), False, "b is at least 0"),
    (between("big", above=10**400), True, f"big is above {10**400}"),
    (between("less", below=-(10**400)), True, f"less is below {-(10**400)}"),
    (between("tiny", above=0, below=1e-300), True, "tiny is above 0 and below 1e-300"),
    (between("tiny", at_most=0), False, "tiny is at most 0"),
    (
        between("t", at_least="2024-01-01", below="2025-01-01"),
        True,
        "t is at least '2024-01-01' and below '2025-01-01'",
    ),
    (between("t", at_least=1), False, "t is at least 1"),
]


@pytest.mark.parametrize(("condition", "expected", "text"), RANGES, ids=str)
def test_values_patterns_and_ranges(condition: Condition, text: str, *, expected: bool) -> None:
    root = read(NUMBERS.encode())
    assert condition.test(root) is expected
    assert str(condition) == text
    assert write(root).decode() == NUMBERS


SEVERAL = (
    '{"l":[ 1 ],"e":[],"o":{"x":1},"t":"x","a":1.0,"b":1.00,"c":2,"s":"b","n":null,"m":null,"l2":[ 1.0 ],"y":true}'
)

LENGTHS: list[tuple[Condition, bool, str]] = [
    (equals(length("l"), 1), True, "the length of l equals 1"),
    (equals(length("o"), 1), False, "the length of o equals 1"),
    (equals(length("t"), 1), False, "the length of t equals 1"),
    (equals(length("z"), 0), False, "the length of z equals 0"),
    (one_of(length("e"), [0, 2]), True, "the length of e is one of 0, 2"),
    (between(length("l"), at_least=1, below=3), True, "the length of l is at least 1 and below 3"),
    (~between(length("e"), above=0), True, "not the length of e is above 0"),
    (equals("a", value_at("b")), True, "a equals b"),
    (equals("a", value_at("c")), False, "a equals c"),
    (equals("n", value_at("m")), True, "n equals m"),
    (equals("z", value_at("z2")), False, "z equals z2"),
    (equals("l", value_at("l2")), True, "l equals l2"),
    (equals("o.x", value_at("a")), True, "o.x equals a"),
    (between("c", above=value_at("a")), True, "c is above a"),
    (between("a", above=value_at("b")), False, "a is above b"),
    (between("s", above=value_at("t")), False, "s is above t"),
    (between("t", above=value_at("s")), True, "t is above s"),
    (between("t", at_least=value_at("a")), False, "t is at least a"),
    (between("y", at_least=value_at("y")), False, "y is at least y"),
    (between("c", above=value_at("a"), at_most=2), True, "(c is above a and c is at most 2)"),
]


@pytest.mark.parametrize(("condition", "expected", "text"), LENGTHS, ids=str)
def test_lengths_and_two_fields(condition: Condition, text: str, *, expected: bool) -> None:
    root = read(SEVERAL.encode())
    assert condition.test(root) is expected
    assert str(condition) == text
    assert write(root).decode() == SEVERAL


def test_a_length_stays_where_items_are_changed() -> None:
    inside = when(equals(length("l"), 1), at("l.*", rename("x", "y")))
    assert inside.inverse().kind is Reversibility.EXACT
    assert when(equals(length("l"), 1), add("l", 1)).inverse().kind is Reversibility.LOSSY
    assert when(equals("a", value_at("b")), rename("b", "c")).inverse().kind is Reversibility.LOSSY
    assert equals("a.x", value_at("b")).reads() == (("a", "x"), ("b",))


AROUND: list[tuple[Condition, bool, str]] = [
    (equals(header("h"), "x"), True, "header h equals 'x'"),
    (present(header("g")), False, "header g is present"),
    (absent(header("g")) & present("a"), True, "(not header g is present and a is present)"),
    (matches(VERSION, r"^0\."), True, r"the version that the event came with matches '^0\\.'"),
    (one_of(EVENT_TYPE, ["t", "u"]) | present("z"), True, "(the event type is one of 't', 'u' or z is present)"),
    (starts_with(KEY, "k"), True, "the record key starts with 'k'"),
    (between(TIMESTAMP, above=5), False, "the record timestamp is above 5"),
]


@pytest.mark.parametrize(("condition", "expected", "text"), AROUND, ids=str)
def test_what_stands_around_the_document(condition: Condition, text: str, *, expected: bool) -> None:
    around = Context.of(Event(b"{}", b"key", [("h", b"x")], 5), None, "t", "0.7")
    assert condition.answer(read(b'{"a":1}'), around) is expected
    assert str(condition) == text


def test_nothing_around() -> None:
    assert not equals(header("h"), "x").test({})
    assert present(header("h")).reads() == ()
    assert (present(header("h")) & ~present(KEY)).outside() == (header("h"), KEY)


def test_an_answer_that_the_way_down_does_not_have() -> None:
    kinds = {
        when(equals(header("h"), "x"), add("a", 1)).inverse().kind: Reversibility.EXACT,
        when(equals(header("h"), "x"), set_header("h", "y")).inverse().kind: Reversibility.LOSSY,
        when(matches(VERSION, "^0"), add("a", 1)).inverse().kind: Reversibility.LOSSY,
    }
    assert all(kind is expected for kind, expected in kinds.items())


WRONG: list[Callable[[], object]] = [
    lambda: one_of("a", []),
    lambda: one_of("a", "xy"),
    lambda: one_of("a", [{}]),
    lambda: matches("a", "("),
    lambda: starts_with("a"),
    lambda: between("a"),
    lambda: between("a", above=1, below="x"),
    lambda: between("a", above=True),
    lambda: between("a", above=length("b")),
    lambda: equals(length("a"), "1"),
    lambda: equals(length("a"), 1.5),
    lambda: equals(length("a"), True),
    lambda: between(length("a"), above="x"),
    lambda: present(length("a")),
    lambda: matches(length("a"), "1"),
    lambda: length("a.*"),
    lambda: equals(header("h"), value_at("a")),
    lambda: equals(length("b"), value_at("a")),
    lambda: one_of("b", [value_at("a")]),
    lambda: Baseline("t", "1", shape=present(header("h"))),
]


@pytest.mark.parametrize("build", WRONG, ids=range(len(WRONG)))
def test_questions_that_are_none(build: Callable[[], object]) -> None:
    with pytest.raises(StepError):
        build()
