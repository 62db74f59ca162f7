"""Questions about a document."""

from __future__ import annotations

import pytest

from upcasters import Condition, absent, any_present, anything, equals, has_type, is_null_at, present
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
    (has_type("a", "number"), True, "a is number"),
    (has_type("l", "object", "array"), True, "l is object or array"),
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
