"""Reading and writing: what was not touched comes out byte for byte, and nothing that is not JSON gets through."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tests.depth import TOO_DEEP
from upcasters.depth import is_too_deep
from upcasters.document import (
    ExactFloat,
    from_plain,
    is_json,
    is_null,
    json_type,
    open_array,
    open_container,
    open_object,
    plain,
    read,
    restamped,
    same,
    scalar_key,
    scalar_value,
    write,
)
from upcasters.duplicates import duplicate_keys
from upcasters.errors import DecodeError, EncodeError, TooDeep, WrongType
from upcasters.paths import path

UNTOUCHED = [
    b"{}",
    b'{"a":1.10,"b":1e400,"c":9223372036854775809,"d":-0,"e":1E2}',
    b'{"a":[ 1 , 2 ]}',
    b'{"a":"\\u0061\\/","b":{"\\u0061":{ }}}',
    '{"é":"é","":{"":""},"a.b":null}'.encode(),
    b'{"z":true,"a":false,"m":null}',
    b'{"a":' + b"1" * 10_000 + b"}",
    b'{"a":' + b"[" * 399 + b"]" * 399 + b"}",
]


@pytest.mark.parametrize("value", UNTOUCHED, ids=lambda value: value[:40].decode())
def test_untouched(value: bytes) -> None:
    assert write(read(value)) == value


NOT_READ = {
    b"": "not JSON",
    b" ": "not JSON",
    b"{": "not JSON",
    b'{"a":NaN}': "not JSON",
    b'{"a":Infinity}': "not JSON",
    b'{"a":01}': "not JSON",
    b'{"a":"\\ud800"}': "not JSON",
    b'{"a":"\x01"}': "not JSON",
    b'{"a":1}x': "not JSON",
    b'\xef\xbb\xbf{"a":1}': "not JSON",
    b"{'a':1}": "not JSON",
    b"[]": "JSON but not an object",
    b"1": "JSON but not an object",
    b'"a"': "JSON but not an object",
    b"null": "JSON but not an object",
    b'{"a":"\xff"}': "not UTF-8",
    b'{"a":"\xed\xa0\x80"}': "not UTF-8",
    b'{"a":{"b":"\xc3"}}': "not UTF-8",
    b'{"a":' + b"[" * TOO_DEEP + b"]" * TOO_DEEP + b"}": "nested deeper",
}


@pytest.mark.parametrize(("value", "message"), NOT_READ.items(), ids=lambda value: repr(value)[:30])
def test_not_read(value: bytes, message: str) -> None:
    with pytest.raises((DecodeError, TooDeep), match=message) as caught:
        read(value)
    assert (caught.value.stage, caught.value.path) == ("decode", "")


@given(
    st.binary(max_size=40)
    | st.from_regex(r'\{"a":[\[\]{}",:0-9eE.+\-truefalsn \\]{0,20}\}', fullmatch=True).map(str.encode)
)
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    try:
        root = read(value)
    except DecodeError:
        return
    assert same(root, read(write(root)))


TWICE = {
    "plain": b'{"a":1,"b":2,"a":3}',
    "the same value": b'{"a":1,"a":1}',
    "spelled in two ways": b'{"a":1,"\\u0061":3}',
    "with spaces": b'{"a": 1, "b": 2, "a": 3}',
    "printed": b'{\n  "a": 1,\n  "a": 3\n}',
    "as many bytes too many as spaces would take": b'{"a": 1,"bbbb":2,"c":3,"d":4,"a": 3}',
    "beside other white space": b'{ "a" : { } , "b":[ ],"a":1 }',
    "an escape too": b'{"\\n":1,"a":1,"a":2}',
    "not of ASCII": '{"é":1,"é":2}'.encode(),
    "empty": b'{"":1,"":2}',
}
ONCE = {
    "empty": b"{}",
    "spaces": b'{"a": 1, "b": {"c": [1, 2]}}',
    "printed": b'{\n  "a": {\n    "b": 1\n  }\n}',
    "mixed": b'{"a":1, "b" :{ "c":1},"d":[ ]}',
    "escapes": b'{"\\u0061":1,"\\/":2,"\\"":3}',
    "inside of what nobody opens": b'{"x":{"a":1,"a":2},"y":[{"a":1,"a":2}]}',
    "texts that look like keys": b'{"a":"\\"a\\":1,\\"a\\":2","b": "a: {a: 1, a: 2}"}',
    "not of ASCII": '{"é":1,"ê": 2}'.encode(),
}


@pytest.mark.parametrize("text", TWICE.values(), ids=TWICE.keys())
def test_a_duplicate_key_is_refused(text: bytes) -> None:
    with pytest.raises(DecodeError, match="the same key twice") as caught:
        read(text)
    assert caught.value.stage == "decode"
    with duplicate_keys("last-wins"):
        assert len(read(text)) == len(json.loads(text))


@pytest.mark.parametrize("text", ONCE.values(), ids=ONCE.keys())
def test_keys_that_stand_once_are_read(text: bytes) -> None:
    assert list(read(text)) == list(json.loads(text))


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "é", "\n", '"', "a b"]), st.sampled_from(["1", "{ }", '"a":"b"'])),
        max_size=5,
    ),
    st.data(),
)
def test_duplicates_are_found_however_the_object_is_written(pairs: list[tuple[str, str]], data: Any) -> None:
    space, escaped = st.sampled_from(["", "", " ", "\n  "]), st.booleans()
    members = [
        f"{json.dumps(key, ensure_ascii=data.draw(escaped))}{data.draw(space)}:{data.draw(space)}{json.dumps(value)}"
        for key, value in pairs
    ]
    text = ("{" + data.draw(space) + f",{data.draw(space)}".join(members) + data.draw(space) + "}").encode()
    try:
        read(text)
        refused = False
    except DecodeError:
        refused = True
    assert refused is (len({key for key, _ in pairs}) < len(pairs))


TYPES: list[tuple[bytes, Any, str]] = [
    (b"{}", {}, "object"),
    (b"[ ]", [], "array"),
    (b'""', "", "string"),
    (b"1", 1, "number"),
    (b"-1.5", -1.5, "number"),
    (b"1e400", ExactFloat("1e400"), "number"),
    (b"true", True, "boolean"),
    (b"false", False, "boolean"),
    (b"null", None, "null"),
]


@pytest.mark.parametrize(("raw", "value", "kind"), TYPES)
def test_types(raw: bytes, value: Any, kind: str) -> None:
    assert json_type(Raw(raw)) == json_type(value) == kind
    assert is_null(Raw(raw)) is is_null(value) is (kind == "null")


def test_opening() -> None:
    root = read(b'{"o":{ "x":1 },"a":[ 1 ],"s":"x"}')
    assert bytes(open_object(root["o"])["x"]) == b"1"
    assert open_object({"a": 1}) == {"a": 1}
    assert [bytes(item) for item in open_array(root["a"])] == [b"1"]
    assert open_array([1]) == [1]
    assert open_container(root["o"]).keys() == {"x"}  # type: ignore[union-attr]  # the test fails where it is another
    assert [bytes(item) for item in open_container(root["a"])] == [b"1"]
    assert open_container([1]) == [1]


NOT_OPENED: list[tuple[Any, Any, str]] = [
    (open_object, Raw(b"[]"), "a.* is an array, not an object"),
    (open_object, Raw(b"null"), "a.* is null, not an object"),
    (open_object, "x", "a.* is a string, not an object"),
    (open_array, Raw(b"{}"), "a.* is an object, not an array"),
    (open_array, 1, "a.* is a number, not an array"),
    (open_container, Raw(b"true"), "a.* is a boolean, not an array or object"),
]


@pytest.mark.parametrize(("opening", "node", "message"), NOT_OPENED)
def test_not_opened(opening: Any, node: Any, message: str) -> None:
    with pytest.raises(WrongType) as caught:
        opening(node, path("a.*"))
    assert (str(caught.value), caught.value.path) == (message, "a.*")
    with pytest.raises(WrongType, match=r"^the value is "):
        opening(node)


def test_plain_values_keep_their_digits() -> None:
    value = plain(Raw(b'{"a":[1.10,1e400,-0.0,2],"b":"\\u0061"}'))
    assert value == {"a": [1.1, float("inf"), 0.0, 2], "b": "a"}
    assert write(from_plain(value)) == b'{"a":[1.10,1e400,-0.0,2],"b":"a"}'
    assert plain({"a": [Raw(b"1"), {"b": None}]}) == {"a": [1, {"b": None}]}


def test_a_number_too_large_to_compute_with() -> None:
    with pytest.raises(WrongType, match="too large to compute with") as caught:
        plain([Raw(b"1" * 5000)], ("a",))
    assert caught.value.path == "a"
    with pytest.raises(WrongType, match=r"^the value holds"):
        plain(Raw(b"1" * 5000))


def test_an_exact_number_is_a_number_and_remembers_its_text() -> None:
    number = ExactFloat("1.10")
    assert Decimal(str(number)) == Decimal("1.10")
    assert str(ExactFloat("12345678901234567.89")) == "12345678901234567.89"
    assert number == 1.1
    assert pickle.loads(pickle.dumps(number)).text == "1.10"  # noqa: S301  # our own bytes


ACCEPTED: list[Any] = [
    None,
    True,
    0,
    2**64,
    1.5,
    "é\U0001f600",
    "",
    ExactFloat("1e400"),
    Raw(b"[1]"),
    [],
    {},
    [1, ["x"]],
    {"a": "b"},
    {"é": {"": [None, 1.5]}},
]


@pytest.mark.parametrize("value", ACCEPTED, ids=range(len(ACCEPTED)))
def test_results_that_are_json(value: Any) -> None:
    node = from_plain(value)
    assert node == value
    assert node is not value or not isinstance(value, (dict, list))
    write({"a": node})


def test_a_tuple_is_a_list() -> None:
    assert from_plain({"a": (1, (2,))}) == {"a": [1, [2]]}


DECIMALS = ["0.30", "1E+400", "-0", "0E-7", "100", "12345678901234567890.10"]


@pytest.mark.parametrize("text", DECIMALS)
def test_a_decimal_is_a_number_with_all_of_its_digits(text: str) -> None:
    written = write({"a": from_plain(Decimal(text)), "b": from_plain([{"c": Decimal(text)}])})
    assert written == f'{{"a":{text},"b":[{{"c":{text}}}]}}'.encode()
    assert Decimal(str(plain(read(written)["a"]))) == Decimal(text)


REFUSED: list[tuple[Any, str]] = [
    (Decimal("NaN"), "NaN or infinite"),
    (Decimal("-Infinity"), "NaN or infinite"),
    (float("nan"), "NaN or infinite"),
    (float("-inf"), "NaN or infinite"),
    ({1}, "became a set"),
    (b"x", "became a bytes"),
    (object(), "became a object"),
    ({1: 2}, "has a key of type int"),
    ({None: 1}, "has a key of type NoneType"),
    ("\ud800", "UnicodeEncodeError"),
    ({"\ud800": 1}, "UnicodeEncodeError"),
    ({"a": "\ud800"}, "UnicodeEncodeError"),
    (10**5000, "ValueError"),
    ([{"a": ({1},)}], "became a set"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED, ids=lambda value: repr(type(value)))
def test_results_that_are_no_json(value: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message) as caught:
        from_plain(value, ("a",))
    assert caught.value.path == "a"
    assert str(caught.value).startswith("a ")
    with pytest.raises(EncodeError, match=r"^the value "):
        from_plain(value)


@pytest.mark.parametrize("value", ["\ud800", object(), 10**5000], ids=["surrogate", "object", "digits"])
def test_not_written(value: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        write({"a": value})
    assert caught.value.stage == "encode"


def test_too_deep_to_be_written() -> None:
    deep: list[Any] = []
    for _ in range(TOO_DEEP):
        deep = [deep]
    with pytest.raises(TooDeep, match="nested deeper than 400 levels"):
        write({"a": deep})


EQUAL: list[tuple[bytes, bytes, bool]] = [
    (b"1", b"1.0", True),
    (b"1.10", b"1.1", True),
    (b"1e2", b"100", True),
    (b"-0", b"0", True),
    (b"1", b"true", False),
    (b"0", b"false", False),
    (b"null", b"0", False),
    (b"null", b"null", True),
    (b'"a"', b'"\\u0061"', True),
    (b'"1"', b"1", False),
    (b"1e400", b"1e400", True),
    (b"1e400", b"1e401", False),
    (b"1e400", b"1", False),
    (b"9007199254740993", b"9007199254740992.0", False),
    (b"9007199254740993", b"9007199254740993.0", True),
    (b"12345678901234567890.1", b"12345678901234567890.2", False),
    (b"1.00000000000000000001", b"1", False),
    (b"1e-400", b"0", False),
    (b"1e-400", b"10e-401", True),
    (b"1e400", b"10e399", True),
    (b"0e99999999999999999999", b"0", True),
    (b"1e99999999999999999999", b"1e-99999999999999999999", False),
    (b"1e99999999999999999999", b"1e99999999999999999999", True),
    (b"1e99999999999999999999", b"1E+99999999999999999999", True),
    (b"1e99999999999999999999", b"10.0e99999999999999999998", True),
    (b"0.001e1000000000000000002", b"1e999999999999999999", True),
    (b"10e999999999999999999", b"1e1000000000000000000", True),
    (b"1e999999999999999999", b"1e1000000000000000000", False),
    (b"1e1000000000000000000", b"-1e1000000000000000000", False),
    (b"1.1e1000000000000000000", b"1.2e1000000000000000000", False),
    (b"-15e-2000000000000000000", b"-1.50e-1999999999999999999", True),
    (b"1e-99999999999999999999", b"0", False),
    (b'[1e99999999999999999999,"x"]', b'["1e99999999999999999999","x"]', False),
    (b"1e" + b"9" * 5_000, b"10e" + b"9" * 4_999 + b"8", True),
    (b"1e" + b"9" * 5_000, b"1e" + b"9" * 4_999 + b"8", False),
    (b'{"a":1,"b":[1.0]}', b'{"b":[1],"a":1.00}', True),
    (b'{"a":1}', b'{"a":1,"b":1}', False),
    (b'{"a":1}', b'{"b":1}', False),
    (b"[1,2]", b"[2,1]", False),
    (b"[1]", b"[1,1]", False),
    (b"[]", b"{}", False),
    (b"[[true]]", b"[[1]]", False),
]


@pytest.mark.parametrize(("one", "other", "expected"), EQUAL)
def test_same(one: bytes, other: bytes, *, expected: bool) -> None:
    assert same(Raw(one), Raw(other)) is expected
    assert same(Raw(other), plain(Raw(one))) is expected
    keys = [scalar_key(plain(Raw(text))) for text in (one, other)]
    assert (keys[0] == keys[1]) is expected
    assert len(set(keys)) == 2 - expected


@pytest.mark.parametrize("text", [b"-1.50e-1999999999999999999", b"1e99999999999999999999", b"1.5", b"true"])
def test_a_key_of_a_table_gives_its_value_back(text: bytes) -> None:
    assert same(scalar_value(scalar_key(plain(Raw(text)))), Raw(text))


STAMPS: list[tuple[Any, str, bytes]] = [
    (Raw(b'"1"'), "2", b'"2"'),
    (Raw(b"1"), "2", b"2"),
    (Raw(b"1.0"), "2.0", b"2.0"),
    (1, "2", b"2"),
    (Raw(b"1"), "2024-01-01", b'"2024-01-01"'),
    (Raw(b"1"), "true", b'"true"'),
    (Raw(b"1"), "", b'""'),
    (Raw(b"null"), "2", b'"2"'),
]


@pytest.mark.parametrize(("old", "version", "written"), STAMPS)
def test_a_version_keeps_the_type_that_it_had(old: Any, version: str, written: bytes) -> None:
    assert write({"v": restamped(old, version)}) == b'{"v":' + written + b"}"


def arrays(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


DEPTHS: dict[str, tuple[bytes, bool]] = {
    "short": (arrays(400), False),
    "just deep enough": (b'{"a":%s,"b":"%s"}' % (arrays(399), b"x" * 1000), False),
    "one too many": (b'{"a":%s}' % arrays(400), True),
    "objects": (b'{"k":' * 401 + b"1" + b"}" * 401, True),
    "wide": (b"[" + b"[{}]," * 10_000 + b"1]", False),
    "brackets in texts": (b'{"a":"%s","b":"%s","c":%s}' % (b"[" * 500, b"]" * 500, arrays(399)), False),
    "closed in texts": (b'["]",' * 401 + b"1" + b"]" * 401, True),
    "opened in texts": (b'["[",' * 400 + b"1" + b"]" * 400, False),
    "escapes in texts": (b'["\\"]\\\\",' * 401 + b"1" + b"]" * 401, True),
    "escapes and brackets in texts": (b'["\\"[\\\\",' * 400 + b"1" + b"]" * 400, False),
    "very deep": (arrays(1_000_000), True),
}


@pytest.mark.parametrize(("text", "expected"), DEPTHS.values(), ids=DEPTHS.keys())
def test_depth_is_counted_in_levels(text: bytes, *, expected: bool) -> None:
    assert is_too_deep(text) is expected
    assert is_json(text) is not expected


@given(st.recursive(st.text('[]{}"\\ a', max_size=3), lambda inner: st.lists(inner, max_size=3), max_leaves=8))
def test_depth_does_not_depend_on_what_texts_hold(value: Any) -> None:
    around = 400 - height(value)
    text = json.dumps(value).encode()
    for more in (0, 1):
        deep = b"[" * (around + more) + text + b',""' * 300 + b"]" * (around + more)
        assert is_too_deep(deep) is bool(more)


def test_a_string_that_never_ends_is_passed_over_once() -> None:
    """Escaped quotes in it are no new beginnings: following each to the end takes hours."""
    text = b'{"a":' + b"[" * 500 + b'"' + b'\\"' * 500_000
    assert is_too_deep(text)
    assert not is_too_deep(b'{"a":' + b"[" * 300 + b'"' + b'\\"' * 500_000)


def height(value: Any) -> int:
    return 1 + max(map(height, value), default=0) if isinstance(value, list) else 0


@pytest.mark.parametrize("frames", [0, 300])
def test_the_caller_makes_no_difference(frames: int) -> None:
    def down(left: int, ask: Callable[[], Any]) -> Any:
        return ask() if not left else down(left - 1, ask)

    def nested(levels: int) -> Any:
        value: Any = 1
        for _ in range(levels):
            value = {"k": [value]}
        return value

    assert down(frames, lambda: write(read(b'{"a":%s}' % arrays(399)))) == b'{"a":%s}' % arrays(399)
    assert down(frames, lambda: plain(from_plain(nested(200)))) == nested(200)
    assert down(frames, lambda: same(from_plain(nested(200)), from_plain(nested(200))))
    for too_deep in (lambda: read(b'{"a":%s}' % arrays(400)), lambda: from_plain([nested(200)])):
        with pytest.raises(TooDeep):
            down(frames, too_deep)
