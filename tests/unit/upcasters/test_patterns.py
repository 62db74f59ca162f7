"""Regular expressions of steps and rules: ``$`` is the end of the text."""

from __future__ import annotations

import re

import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    Event,
    FromHeader,
    Step,
    StepError,
    default,
    key_pattern,
    matches,
    rename_keys,
)
from upcasters.document import read, write
from upcasters.patterns import compiled

FINDS = [
    (r"a$", "ba", True),
    (r"a$", "ba\n", False),
    (r"^$", "\n", False),
    (r"a$|b", "a\n", False),
    (r"a$|b", "b\n", True),
    (r"a\$", "a$\n", True),
    (r"a\\$", "a\\\n", False),
    (r"a[$]", "a$\n", True),
    (r"a[]$]$", "a$", True),
    (r"a[^]$]$", "a$", False),
    (r"a[\]$]", "a$\n", True),
    (r"(?#$ is the end)a", "a\n", True),
    (r"(?m)a$", "a\nb", True),
    (r"(?i)A$", "a\n", False),
    (r"(?i:A)$", "a\n", False),
    (r"x(?m:a$)", "xa\nb", True),
]


@pytest.mark.parametrize(("pattern", "text", "found"), FINDS)
def test_a_dollar_is_the_end_of_the_text(pattern: str, text: str, *, found: bool) -> None:
    assert bool(compiled(pattern).search(text)) is found


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(re.error):
        compiled("(")
    with pytest.raises(StepError, match="no regular expression"):
        matches("a", "(")


def test_a_condition_does_not_hold_for_a_text_with_a_line_break_behind_it() -> None:
    condition = matches("id", "^[0-9]+$")
    assert condition.test(read(b'{"id":"17"}'))
    assert not condition.test(read(rb'{"id":"17\n"}'))
    assert not condition.test(read(rb'{"id":"x\n17\n"}'))


def test_a_rule_does_not_read_a_version_before_a_line_break() -> None:
    rules = Detection((Always("t"),), (FromHeader("schema", "/([0-9])$"),))
    chain = Chain([Step("t", 1, 2, [default("a", 1)])], [Baseline("t", 1)], detection=rules)
    outcome = chain.upcaster().upcast(Event(b"{}", None, [("schema", b"s/1\n")]))
    assert "header schema does not match its pattern" in repr(outcome)


def test_a_key_is_respelled_at_its_end_once() -> None:
    chain = Chain(
        [Step("t", 1, 2, [rename_keys("", key_pattern("$", "_x"))], lossy="a test")],
        [Baseline("t", 1)],
        detection=Detection((Always("t"),), (Always("1"),)),
    )
    outcome = chain.upcaster().upcast(Event(rb'{"a\n":1,"b":2}'))
    assert outcome.value == write({"a\n_x": 1, "b_x": 2})  # type: ignore[union-attr]  # the test fails where it is another
