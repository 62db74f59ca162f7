"""Keys that stand twice: the quick way to see that there are none says what a slow reader says of any text.

Objects are nested, keys hold quotes and escapes and are spelled in several ways, and white space is of every style.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.upcasters.generated import SOURCE
from upcasters import (
    Always,
    Baseline,
    Chain,
    DeadLettered,
    Detection,
    Event,
    Operation,
    Outcome,
    Policy,
    Step,
    Upcast,
    convert,
    default,
    derive,
    drop,
    equals,
    rename,
    split_event,
    when,
)
from upcasters.document import decode_object_unchecked, read, refuse_lost_keys
from upcasters.duplicates import duplicate_keys, may_lack_keys
from upcasters.errors import DecodeError

# Each key with several spellings: as it is, escaped, and as numbers.
SPELLINGS = {
    "a": ['"a"', '"\\u0061"'],
    "b": ['"b"'],
    "": ['""'],
    '"': ['"\\""', '"\\u0022"'],
    '""': ['"\\"\\""', '"\\u0022\\u0022"', '"\\u0022\\""'],
    "\\": ['"\\\\"', '"\\u005c"'],
    "/": ['"/"', '"\\/"'],
    "\n": ['"\\n"', '"\\u000a"'],
    "\x7f": ['"\x7f"', '"\\u007F"'],
    "é": ['"é"', '"\\u00e9"'],
    "😀": ['"😀"', '"\\ud83d\\ude00"'],
    "u0022": ['"u0022"'],
}
SCALARS = [
    "1",
    "1.0",
    "-0",
    "1e400",
    "1E2",
    "1" * 30,
    '"x"',
    '""',
    '"\\"a\\":1"',
    '"\\u0022"',
    "null",
    "true",
    "{}",
    "[]",
]
STYLES = [("", "", ""), ("", "", ""), ("", " ", " "), ("\n  ", " ", ""), (" ", "", ""), ("\t", "\r\n", " ")]


@st.composite
def texts(draw: Any, depth: int = 2) -> str:
    """An object's text in one style, or in several; a key stands twice now and then, the last one among them."""
    keys = draw(st.lists(st.sampled_from([*SPELLINGS, "a", "b"]), max_size=4, unique=draw(st.booleans())))
    around, after_colon, after_comma = draw(st.sampled_from(STYLES))
    members = []
    for key in keys:
        inner = texts(depth - 1) if depth else st.nothing()
        value = draw(st.one_of(inner, inner, st.sampled_from(SCALARS)))
        spelled = draw(st.sampled_from(SPELLINGS[key]))
        space = draw(st.sampled_from(["", "", "", " "]))
        members.append(f"{around}{spelled}{space}:{after_colon}{value}")
    return "{" + f",{after_comma}".join(members) + (around if members else "") + "}"


def warn_of_second_outputs(text: str) -> Any:
    """A document, each object of it as whether a key of its own stands twice, and its fields."""

    def pairs(items: list[tuple[str, Any]]) -> Any:
        return (len(dict(items)) < len(items), dict(items))

    return json.loads(text, object_pairs_hook=pairs)


def opened(node: Any, levels: int) -> Any:
    """The objects of so many levels, opened unchecked."""
    made = decode_object_unchecked(node)
    for key, child in made.items():
        if levels and memoryview(child)[0] == ord("{"):
            made[key] = opened(child, levels - 1)
    return made


def any_twice(found: Any, levels: int) -> bool:
    """What a slow reader says of the objects of so many levels."""
    if not isinstance(found, tuple):
        return False
    twice, fields = found
    return twice or (levels > 0 and any(any_twice(child, levels - 1) for child in fields.values()))


@settings(max_examples=500, deadline=None)
@given(texts())
@example('{"a":1,"b":2,"a":{}}')
@example('{"\\u0022":1,"a":1,"a":2}')
@example('{"a": {}, "\\"": 1, "a": {}}')
def test_the_quick_way_says_what_a_slow_reader_says(text: str) -> None:
    value, found = text.encode(), warn_of_second_outputs(text)
    for levels in range(4):
        refused = any_twice(found, levels)
        try:
            refuse_lost_keys(value, opened(value, levels))
        except DecodeError:
            assert refused
        else:
            assert not refused
    assert _is_refused(value) is any_twice(found, 0)


def _is_refused(value: bytes) -> bool:
    try:
        read(value)
    except DecodeError:
        return True
    return False


CHAIN = Chain(
    [Step("t", 1, 2, [default("z", 1), default("a.z", 1, missing="skip"), default("a.b.z", 1, missing="skip")])],
    detection=Detection((Always("t"),), (Always("1"),)),
)
UPCASTER = CHAIN.upcaster()
LAST_WINS = CHAIN.upcaster(Policy(duplicate_keys="last-wins"))


@settings(max_examples=300, deadline=None)
@given(st.one_of(texts(), texts(depth=1).map(lambda inner: f'{{"a":{inner}}}')))
@example('{"a":{"b":{"b":1,"b":1}}}')
@example('{"a": {"b": {}, "b": {}}}')
def test_whoever_opens_an_object_refuses_it(text: str) -> None:
    event = Event(text.encode(), offset=1)
    for upcaster in (UPCASTER, LAST_WINS):
        plain = upcaster.reference.upcast(event, SOURCE)
        for _ in range(3):  # generated code comes with the second object of a layout
            assert upcaster.upcast(event, SOURCE) == plain
    found = warn_of_second_outputs(text)
    for path in ((), ("a",), ("a", "b")):
        at: Any = found
        for key in path:
            at = at[1].get(key) if isinstance(at, tuple) else None
        if isinstance(at, tuple) and at[0]:
            assert isinstance(UPCASTER.upcast(event), DeadLettered)


@pytest.mark.parametrize("style", [(",", ":"), (", ", ": ")])
def test_usual_texts_need_no_slow_reader(style: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_: bytes, __: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("upcasters.duplicates._read", slow)
    body = {"a": {"b": {"c": [1, {"d": "é \\ {"}]}, "é": 1}, "x": ['"', {}]}
    for indent in (None, 2):
        for ascii_only in (True, False):
            text = json.dumps(body, separators=style, indent=indent, ensure_ascii=ascii_only)
            with duplicate_keys("refuse-opened"):
                assert isinstance(UPCASTER.upcast(Event(text.encode(), offset=1)), Upcast)


@pytest.mark.parametrize("seed", range(20))
def test_quotes_are_counted_right_without_what_is_the_same_in_both(seed: int) -> None:
    """Where two texts differ, however often their parts repeat."""
    random = Random(seed)
    item = b'{"status":"ok","n":%d,"of":["log.txt"]},'
    for _ in range(200):
        unique = random.random() < 0.5
        text = b"".join(item % (number if unique else 1) for number in range(random.randrange(20, 200)))
        again = text
        for _ in range(random.randrange(4)):
            at, length = random.randrange(len(again)), random.randrange(20)
            again = again[:at] + random.choice([b"", b'"k":"v",', b" " * length]) + again[at + length :]
        assert may_lack_keys(text, again) == (text.count(b'"') != again.count(b'"'))
        assert not may_lack_keys(text, again, again.count(b'"') - text.count(b'"'))


def _upcast_of(operation: Operation, text: str, duplicate_keys: Literal["refuse-opened", "last-wins"]) -> Outcome:
    step = Step("t", 1, 2, [operation], lossy="a test")
    chain = Chain([step], [Baseline("t", 1)], detection=Detection((Always("t"),), (Always("1"),)))
    upcaster = chain.upcaster(Policy(duplicate_keys=duplicate_keys))
    outcome = upcaster.upcast(Event(text.encode(), offset=7), SOURCE)
    assert outcome == upcaster.reference.upcast(Event(text.encode(), offset=7), SOURCE)
    return outcome


READ_WHOLE = {
    "a function's argument": (convert("a", lambda value: value), '{"a":{"k":1,"k":2}}'),
    "in a list": (convert("a", lambda value: value), '{"a":[1e400,{"k":1,"\\u006b":2}]}'),
    "one of several arguments": (derive("z", ["a", "b"], lambda _, b: b), '{"a":{"k":[{"m":1,"m":2}]},"b":1}'),
    "a whole document": (split_event(lambda document, _: [("u", document)], ["u"]), '{"a":{"k":1,"k":2}}'),
    "compared with a field": (rename("a", "b", exists="same"), '{"a":{"k":2},"b":{"k":1,"k":2}}'),
    "compared, with a long number": (
        rename("a", "b", exists="same"),
        f'{{"a":{{"n":{"9" * 5_000},"k":2}},"b":{{"n":{"9" * 5_000},"k":1,"k":2}}}}',
    ),
    "compared with a value": (when(equals("a", {"k": 2}), drop("a")), '{"a":{"k":1,"k":2}}'),
}


@pytest.mark.parametrize(("operation", "text"), READ_WHOLE.values(), ids=READ_WHOLE.keys())
def test_a_value_that_is_read_as_a_whole_has_no_key_twice(operation: Operation, text: str) -> None:
    refused = _upcast_of(operation, text, "refuse-opened")
    assert isinstance(refused, DeadLettered)
    assert refused.fault.message == "an object has the same key twice"
    assert isinstance(_upcast_of(operation, text, "last-wins"), Upcast)


def test_a_value_that_is_read_as_a_whole_and_written_shorter_is_not_refused() -> None:
    text = '{"a":[ 1e400, -0, {"\\u0022":"\\u0022","k\\"":"\\/"} ]}'
    outcome = _upcast_of(convert("a", lambda value: value), text, "refuse-opened")
    assert isinstance(outcome, Upcast)
    assert outcome.value == b'{"a":[1e400,0,{"\\"":"\\"","k\\"":"/"}]}'
