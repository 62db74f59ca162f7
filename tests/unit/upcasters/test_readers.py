"""Readers: what is nearly JSON becomes JSON in front of the decoder, by any route that a chain is used on."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcasters import (
    ORIGIN,
    Always,
    Baseline,
    Chain,
    ChainError,
    DeadLettered,
    Detection,
    Event,
    FromCloudEvents,
    FromField,
    FromHeader,
    Outcome,
    Passed,
    Policy,
    Skipped,
    SourcePartition,
    Step,
    StepError,
    Upcast,
    ValueReader,
    default,
    derive,
    parse_json,
    present,
    read_with,
    rename,
    set_key,
    split_each,
    upcast_envelope,
    when,
)
from upcasters.operations.events import drop_event
from upcasters.readers import MOST_BYTES, MOST_EVENTS, READER_NAMES, ReaderName

SOURCE = SourcePartition("topic", 3)
Readers = Sequence[ReaderName | ValueReader]


def chain(*readers: ReaderName | ValueReader, more: Sequence[Step] = ()) -> Chain:
    steps = [Step("o", "1", "2", [rename("a", "b")], shape=present("b")), *more]
    return Chain(steps, [Baseline("o", "1", shape=present("a"))], readers=readers)


def outcome_of(
    found: Chain, value: bytes, policy: Policy | None = None, headers: list[tuple[str, bytes]] | None = None
) -> Outcome:
    """What both ways through the chain say."""
    upcaster, event = found.upcaster(policy), Event(value, b"key", headers, 1, 7)
    outcome = upcaster.upcast(event, SOURCE)
    assert outcome == upcaster.reference.upcast(event, SOURCE)
    return outcome


def values_of(outcome: Outcome) -> list[bytes]:
    assert isinstance(outcome, Upcast), outcome
    return [record.value or b"" for record in outcome.output(Event(b"", b"key"))]


def fault_of(outcome: Outcome) -> tuple[str, str, str, str]:
    assert isinstance(outcome, DeadLettered), outcome
    fault = outcome.fault
    return fault.stage, fault.error_type, fault.path, fault.message


READ: dict[str, tuple[ReaderName, bytes, bytes]] = {
    "mark": ("byte-order-mark", b'\xef\xbb\xbf{"a":1.10}', b'{"b":1.10}'),
    "no mark": ("byte-order-mark", b'{"a":1.10}', b'{"b":1.10}'),
    "UTF-16 with its mark": ("utf-16", '{"a":"é"}'.encode("utf-16"), '{"b":"é"}'.encode()),
    "UTF-16, little end first": ("utf-16", '{"a":"é"}'.encode("utf-16-le"), '{"b":"é"}'.encode()),
    "UTF-16, big end first": ("utf-16", b"\xfe\xff" + '{"a":"😀"}'.encode("utf-16-be"), '{"b":"😀"}'.encode()),
    "UTF-16, big end first, no mark": ("utf-16", '{"a":1}'.encode("utf-16-be"), b'{"b":1}'),
    "NaN as null": ("nan-as-null", b'{"a":NaN, "x":[-Infinity,Infinity]}', b'{"b":null,"x":[null,null]}'),
    "NaN as text": ("nan-as-text", b'{"a":NaN,"x":[-Infinity]}', b'{"b":"NaN","x":["-Infinity"]}'),
    "NaN in a text": ("nan-as-null", rb'{"a":NaN,"x":"NaN\"NaN"}', rb'{"b":null,"x":"NaN\"NaN"}'),
    "half a pair": ("lone-surrogates", rb'{"a":"\ud83d","x":"\ude00\ud83d"}', rb'{"b":"\ufffd","x":"\ufffd\ufffd"}'),
    "a whole pair": ("lone-surrogates", rb'{"a":"\ud83d\ude00 \uD800"}', rb'{"b":"\ud83d\ude00 \ufffd"}'),
    "no escape": ("lone-surrogates", rb'{"a":"\\ud83d \ud83d"}', rb'{"b":"\\ud83d \ufffd"}'),
    "JSON text": ("json-text", rb'  "{\"a\":1.10}"', b'{"b":1.10}'),
}


@pytest.mark.parametrize(("reader", "value", "expected"), READ.values(), ids=READ.keys())
def test_what_is_nearly_json_is_read(reader: ReaderName, value: bytes, expected: bytes) -> None:
    assert values_of(outcome_of(chain(reader), value)) == [expected]


NOT_READ: dict[str, tuple[ReaderName, bytes, str, str]] = {
    "half a character": ("utf-16", '{"a":1}'.encode("utf-16-le")[:-1], "ReaderError", "UTF-16 and cannot be decoded"),
    "half a pair in UTF-16": ("utf-16", b'{\x00"\x00\x00\xd8', "ReaderError", "UTF-16 and cannot be decoded"),
    "UTF-32": ("utf-16", '{"a":1}'.encode("utf-32"), "DecodeError", "not JSON (as read by utf-16)"),
    "NaN that is refused": ("nan-refused", b'{"a":NaN}', "ReaderError", "holds NaN or an infinity"),
    "NaN as a key": ("nan-as-text", b'{NaN :1,"a":1}', "DecodeError", "not JSON"),
    "NaN in a number": ("nan-as-null", b'{"a":1NaN}', "DecodeError", "not JSON (as read by nan-as-null)"),
    "a text that never ends": ("nan-as-null", b'{"a":NaN,"b":"' + rb"\"" * 300_000, "DecodeError", "not JSON"),
    "an escape that ends in a quote": ("lone-surrogates", rb'{"a":"\ud8"}', "DecodeError", "not JSON"),
    "a text that is none": ("json-text", b'"{', "ReaderError", "begins as a JSON string"),
    "a text of a text": ("json-text", rb'"\"{}\""', "DecodeError", "JSON but not an object (as read by json-text)"),
    "an array that is none": ("array", b'[{"a":1}', "ReaderError", "begins as an array"),
    "an array that is not UTF-8": ("array", b'[{"a":"\xff"}]', "ReaderError", "begins as an array"),
    "an array of arrays": ("array", b'[[{"a":1}]]', "DecodeError", "not an object (as read by array)"),
    "a deep array": ("array", b"[" * 1_000_000, "TooDeep", "nested deeper than 400"),
    "too many": ("array", b"[" + b"{}," * 1_000_000 + b"{}]", "TooManyEvents", "more than 10000 events"),
}


@pytest.mark.parametrize(("reader", "value", "error", "message"), NOT_READ.values(), ids=NOT_READ.keys())
def test_what_cannot_be_read_is_a_dead_letter_with_the_reason(
    reader: ReaderName, value: bytes, error: str, message: str
) -> None:
    stage, error_type, _, told = fault_of(outcome_of(chain(reader), value))
    assert (stage, error_type) == ("decode", error)
    assert message in told


@given(st.binary(max_size=60) | st.sampled_from([one[1] for one in NOT_READ.values() if len(one[1]) < 1_000]))
def test_no_bytes_make_a_reader_raise(value: bytes) -> None:
    event = Event(value, b"key", offset=7)
    for upcaster in EACH_READER:
        assert upcaster.upcast(event, SOURCE) == upcaster.reference.upcast(event, SOURCE)


EACH_READER = [chain(name).upcaster() for name in READER_NAMES]


def test_what_was_current_already_is_written_again() -> None:
    """It is not the same bytes, so it did not pass."""
    found = outcome_of(chain("byte-order-mark"), b'\xef\xbb\xbf{"b" : 1}')
    assert isinstance(found, Upcast)
    assert (found.passage.from_version, found.passage.hops, found.value) == ("2", 0, b'{"b" : 1}')
    assert isinstance(outcome_of(chain("byte-order-mark"), b'{"b" : 1}'), Passed)


def test_what_a_policy_lets_through_is_written_again() -> None:
    rules = Detection((FromField("t"),), (FromField("v"),))
    found = Chain([Step("o", "1", "2", [rename("a", "b")])], [Baseline("o", "1")], detection=rules, readers=["array"])
    value = b'[{"t":"other"},{"t":"o","v":"1","a":1}]'
    passed = outcome_of(found, value, Policy(unknown_type="pass"))
    assert values_of(passed) == [b'{"t":"other"}', b'{"t":"o","v":"2","b":1}']
    skipped = outcome_of(found, value, Policy(unknown_type="skip"))
    assert values_of(skipped) == [b'{"t":"o","v":"2","b":1}']
    alone = outcome_of(found, b'[{"t":"other"}]', Policy(unknown_type="skip"))
    assert isinstance(alone, Skipped)
    assert alone.reason == "policy"


def test_an_event_that_needs_no_reader_passes_unread_where_it_did_before() -> None:
    rules = Detection((Always("o"),), (FromHeader("v"),))
    found = Chain([Step("o", "1", "2", [rename("a", "b")])], [Baseline("o", "1")], detection=rules, readers=["array"])
    policy = Policy(validate_target="never")
    upcaster = found.upcaster(policy)
    assert isinstance(upcaster.upcast(Event(b"{not read", headers=[("v", b"2")])), Passed)
    assert isinstance(upcaster.upcast(Event(b"[1", headers=[("v", b"2")])), DeadLettered)


def test_a_tombstone_is_for_no_reader() -> None:
    called: list[bytes] = []

    def using(value: bytes) -> bytes:
        called.append(value)
        return value

    outcome = chain(read_with(using), "array").upcaster().upcast(Event(None), SOURCE)
    assert isinstance(outcome, Passed)
    assert outcome.reason == "tombstone"
    assert not called


# Arrays.


def test_an_array_is_an_event_for_each_item() -> None:
    found = outcome_of(chain("array"), b' [ {"a" : 1.10} , {"b":2}]')
    assert values_of(found) == [b'{"b":1.10}', b'{"b":2}']
    assert isinstance(found, Upcast)
    assert (found.passage.event_type, found.passage.from_version, found.passage.to_version) == ("o", "", "2")
    assert [record.key for record in found.records] == [b"key", b"key"]


def test_events_of_one_version_go_the_way_of_one() -> None:
    found = outcome_of(chain("array"), b'[{"a":1},{"a":2}]')
    assert isinstance(found, Upcast)
    assert (found.passage.from_version, found.passage.hops) == ("1", 1)


def test_an_empty_array_is_no_event() -> None:
    found = outcome_of(chain("array"), b"[ ]")
    assert isinstance(found, Skipped)
    assert found.reason == "dropped"


def test_one_bad_event_makes_a_dead_letter_of_the_whole_record() -> None:
    more = Step("o", "2", "3", [parse_json("b"), rename("b", "c")], shape=present("c"))
    stage, error, path, _ = fault_of(outcome_of(chain("array", more=[more]), b'[{"a":"1"},{"a":2}]'))
    assert (stage, error, path) == ("upcast", "WrongType", "[1].b")
    one = outcome_of(chain("array"), b'[{"a":1},7]')
    assert fault_of(one)[2] == "[1]"


def test_faults_of_two_items_are_one_fault() -> None:
    first, second = (outcome_of(chain("array"), value) for value in (b'[7,{"a":1}]', b'[{"a":1},{"a":2},7]'))
    assert isinstance(first, DeadLettered)
    assert isinstance(second, DeadLettered)
    assert first.fault.path != second.fault.path
    assert first.fault.fingerprint == second.fault.fingerprint


def test_ids_come_from_where_the_event_stands_in_its_record() -> None:
    more = [
        Step("o", "2", "3", [derive("id", [ORIGIN], str)], shape=present("id")),
        Step("o", "3", "4", [split_each("items", "item", item="item", id="at", version="1")], lossy="split"),
    ]
    steps = [Step("o", "1", "2", [rename("a", "b")], shape=present("b")), *more]
    bases = [Baseline("o", "1", shape=present("a")), Baseline("item", "1")]
    rules = Detection((Always("o"),))
    found = outcome_of(
        Chain(steps, bases, readers=["array"], detection=rules), b'[{"a":1,"items":[]},{"a":2,"items":[1,2]}]'
    )
    made = [json.loads(value) for value in values_of(found)]
    assert [(one["id"], one["at"]) for one in made] == [
        ("topic/3/7/1", "topic/3/7/1/0"),
        ("topic/3/7/1", "topic/3/7/1/1"),
    ]


def test_what_is_split_and_dropped_in_an_array_leaves_the_rest() -> None:
    more = Step("o", "2", "3", [when(present("gone"), drop_event())], lossy="on purpose", shape=present("kept"))
    found = outcome_of(chain("array", more=[more]), b'[{"a":1,"gone":1},{"a":2}]')
    assert values_of(found) == [b'{"b":2}']


def test_keys_and_headers_are_those_of_each_event() -> None:
    more = Step("o", "2", "3", [rename("b", "c"), set_key("c")], shape=present("c"), lossy="the key")
    found = outcome_of(chain("array", more=[more]), b'[{"b":"x"},{"b":"y"}]')
    assert isinstance(found, Upcast)
    assert [record.key for record in found.records] == [b"x", b"y"]


def test_what_an_array_shares_is_bounded() -> None:
    value = b"[" + b",".join([b'{"a":1}'] * 1_000) + b"]"
    headers = [("h", b"x" * (MOST_BYTES // 1_000 + 1))]
    assert fault_of(outcome_of(chain("array"), value, None, headers))[1] == "TooManyEvents"


def test_what_comes_out_of_an_array_is_bounded() -> None:
    grown = Step("o", "2", "3", [default("text", "x" * (MOST_BYTES // MOST_EVENTS + 1))], shape=present("text"))
    value = b"[" + b",".join([b'{"a":1}'] * MOST_EVENTS) + b"]"
    assert len(values_of(outcome_of(chain("array"), value))) == MOST_EVENTS
    assert fault_of(outcome_of(chain("array", more=[grown]), value))[1] == "TooManyEvents"


# Several readers, and readers of one's own.


def test_readers_run_in_their_order() -> None:
    value = b"\xff\xfe" + '["{\\"a\\": NaN}"]'.encode("utf-16-le")
    found = chain("byte-order-mark", "utf-16", "array", "json-text", "nan-as-null")
    assert values_of(outcome_of(found, value)) == [b'{"b":null}']
    upcaster = found.upcaster()
    read = upcaster.reference.trace(Event(value, offset=7), SOURCE).read
    assert read is not None
    assert read.by == ("utf-16", "array", "json-text", "nan-as-null")


def unframed(value: bytes) -> bytes:
    return value[5:] if value[:1] == b"\0" else value


def lines(value: bytes) -> list[bytes]:
    return value.splitlines()


def test_a_function_reads_what_no_other_reader_knows() -> None:
    assert values_of(outcome_of(chain(read_with(unframed)), b'\0\0\0\0\5{"a":1}')) == [b'{"b":1}']
    found = outcome_of(chain(read_with(lines, splits=True)), b'{"a":1}\n{"a":2}')
    assert values_of(found) == [b'{"b":1}', b'{"b":2}']


@pytest.mark.parametrize(
    ("using", "told"),
    [
        (lambda _: "text", "gave back a str, and not bytes"),
        (lambda _: None, "gave back a NoneType"),
        (lambda _: [b"{}"], "gave back a list, and not bytes"),
        (lambda value: value[999], "raised IndexError"),
    ],
)
def test_a_function_that_does_not_read_is_named(using: Any, told: str) -> None:
    stage, error, _, message = fault_of(outcome_of(chain(read_with(using)), b'{"a":1}'))
    assert (stage, error) == ("decode", "ReaderError")
    assert told in message
    assert "test_readers" not in message or "lambda" in message


def test_a_route_may_have_readers_of_its_own_or_none() -> None:
    found = chain("byte-order-mark")
    value = b'\xef\xbb\xbf[{"a":1}]'
    assert isinstance(outcome_of(found, value), DeadLettered)
    assert values_of(outcome_of(found, value, Policy(readers=["byte-order-mark", "array"]))) == [b'{"b":1}']
    none = outcome_of(found, b'\xef\xbb\xbf{"a":1}', Policy(readers=[]))
    assert fault_of(none)[3] == "the value is not JSON"


# What is refused when a chain is made.


@pytest.mark.parametrize(
    ("readers", "told"),
    [
        (["utf16"], "'utf16' is no reader. Use one of byte-order-mark, utf-16"),
        ("array", "readers are str, and no list"),
        ([7], "7 is no reader"),
        (["array", "cloudevents-array"], "both make several events"),
        (["nan-as-null", "utf-16"], "nan-as-null stands before utf-16"),
    ],
)
def test_readers_that_cannot_work_are_refused(readers: Any, told: str) -> None:
    with pytest.raises(ChainError, match=told):
        chain(*readers) if isinstance(readers, list) else Chain([], [Baseline("o", "1")], readers=readers)
    with pytest.raises(ChainError, match=told):
        chain().upcaster(Policy(readers=readers))


def test_what_cannot_be_called_is_no_reader() -> None:
    with pytest.raises(StepError, match="Give a function of bytes"):
        read_with(7)  # type: ignore[arg-type]  # wrong on purpose


def test_a_chain_without_readers_keeps_its_fingerprint() -> None:
    assert chain().fingerprint == chain(*()).fingerprint
    prints = {found.fingerprint for found in (chain(), chain("array"), chain("array", "json-text"))}
    prints |= {chain(read_with(unframed)).fingerprint, chain(read_with(lines)).fingerprint}
    assert len(prints) == 5


# CloudEvents.

RULES = Detection((FromCloudEvents("type"),), (FromCloudEvents("dataversion"), Always("1")), stamp="first")
ENVELOPE = '{"specversion":"1.0","id":"1","source":"/s","type":"t"'


def events(*readers: ReaderName | ValueReader) -> Chain:
    return Chain([Step("t", "1", "2", [rename("a", "b")])], [Baseline("t", "1")], detection=RULES, readers=readers)


def enveloped(rest: str) -> bytes:
    return f"{ENVELOPE}{rest}}}".encode()


def in_base64(text: bytes) -> str:
    return f',"data_base64":"{base64.b64encode(text).decode()}"'


@pytest.mark.parametrize(
    "rest", [in_base64(b'{"a":1.10}'), ',"data":"{\\"a\\":1.10}"', in_base64(b' {"a":1.10}').replace("1", "1")]
)
def test_data_as_text_and_as_base64_is_read(rest: str) -> None:
    (value,) = values_of(outcome_of(events("cloudevents-data"), enveloped(rest)))
    made = json.loads(value)
    assert made["data"] == {"b": 1.1}
    assert made["dataversion"] == "2"
    assert "data_base64" not in made


@pytest.mark.parametrize(
    "rest", [in_base64(b"\xff\x00"), in_base64(b"[1]"), ',"data":"text"', ',"data_base64":"?"', ',"data":[1]', ""]
)
def test_other_data_stays_as_it_is(rest: str) -> None:
    current = enveloped(f',"dataversion":"2"{rest}')
    assert isinstance(outcome_of(events("cloudevents-data"), current), Passed)
    assert isinstance(outcome_of(events("cloudevents-data"), enveloped(rest)), DeadLettered)


@pytest.mark.parametrize("rest", ["", ',"data":null'])
def test_no_data_may_be_an_empty_object(rest: str) -> None:
    steps = [Step("t", "1", "2", [default("z", 1)])]
    found = Chain(steps, [Baseline("t", "1")], detection=RULES, readers=["cloudevents-empty"])
    (value,) = values_of(outcome_of(found, enveloped(rest)))
    assert json.loads(value)["data"] == {"z": 1}


def test_an_array_of_data_is_an_envelope_for_each_item() -> None:
    values = values_of(outcome_of(events("cloudevents-array"), enveloped(',"data":[{"a":1},{"a":2}]')))
    assert [(json.loads(value)["id"], json.loads(value)["data"]) for value in values] == [
        ("topic/3/7/0", {"b": 1}),
        ("topic/3/7/1", {"b": 2}),
    ]


def test_an_array_of_envelopes_keeps_their_ids() -> None:
    batch = b"[" + enveloped(',"data":{"a":1}') + b"," + enveloped(',"data":{"a":1}').replace(b'"1"', b'"2"') + b"]"
    values = values_of(outcome_of(events("array"), batch))
    assert [json.loads(value)["id"] for value in values] == ["1", "2"]


def test_events_of_one_record_in_binary_mode_have_ids_of_their_own() -> None:
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_type", b"t"), ("ce_dataversion", b"2")]
    found = outcome_of(events("array"), b'[{"b":1},{"b":2}]', None, headers)
    assert isinstance(found, Upcast)
    assert [dict(record.headers)["ce_id"] for record in found.records] == [b"topic/3/7/0", b"topic/3/7/1"]


def test_several_events_need_coordinates_as_those_of_a_split_do() -> None:
    outcome = chain("array").upcaster().upcast(Event(b'[{"a":1}]'))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.error_type == "NoCoordinates"


def test_an_envelope_that_would_be_written_too_often_is_refused() -> None:
    rest = f',"data":[{",".join(["{}"] * 9_000)}],"x":"{"x" * 10_000}"'
    assert fault_of(outcome_of(events("cloudevents-array"), enveloped(rest)))[1] == "TooManyEvents"


def test_a_duplicate_key_in_an_envelope_is_not_lost() -> None:
    twice = enveloped(in_base64(b'{"a":1}') + ',"x":1,"x":2')
    assert "same key twice" in fault_of(outcome_of(events("cloudevents-data"), twice))[3]
    (value,) = values_of(outcome_of(events("cloudevents-data"), twice, Policy(duplicate_keys="last-wins")))
    assert json.loads(value)["x"] == 2


BINARY = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_type", b"t")]


@pytest.mark.parametrize("content_type", [b"image/png", b"text/plain; charset=utf-8", b"application/avro"])
def test_binary_mode_takes_any_body(content_type: bytes) -> None:
    headers = [*BINARY, ("content-type", content_type), ("ce_dataversion", b"2")]
    for policy in (Policy(), Policy(duplicate_keys="refuse"), Policy(readers=["utf-16", "array", "json-text"])):
        for value in (b"\x89PNG\r\n\x00", b"[", b'"', b"{\x00"):
            assert isinstance(outcome_of(events(), value, policy, headers), Passed)
            older = [*headers[:-1], ("ce_dataversion", b"1")]
            stage, error, _, told = fault_of(outcome_of(events(), value, policy, older))
            assert (stage, error) == ("decode", "DecodeError")
            assert told == "the record's content type says that its value is not JSON"


@pytest.mark.parametrize("content_type", [b"application/json", b"application/vnd.x+json; v=1", b"", None])
def test_json_in_binary_mode_is_read(content_type: bytes | None) -> None:
    headers = [*BINARY, *([] if content_type is None else [("content-type", content_type)])]
    assert isinstance(outcome_of(events(), b'{"a":1}', None, headers), Upcast)
    current = [*headers, ("ce_dataversion", b"2")]
    assert fault_of(outcome_of(events(), b"\x89PNG", None, current))[0] == "decode"


def test_what_has_no_body_is_not_detected_by_shape() -> None:
    rules = Detection((FromCloudEvents("type"),), (FromCloudEvents("dataversion"),))
    steps = [Step("t", "1", "2", [rename("a", "b")], shape=present("b"))]
    found = Chain(steps, [Baseline("t", "1", shape=~present("b"))], detection=rules)
    assert isinstance(outcome_of(found, enveloped(',"dataversion":"2"')), Passed)


# Envelopes.


def enveloping() -> Chain:
    return Chain(
        [Step("envelope", "1", "2", [rename("payload", "data")], shape=present("data"))],
        [Baseline("envelope", "1", shape=present("payload"))],
    )


def in_envelopes() -> Chain:
    from upcasters import at

    steps = [Step("o", "1", "2", [at("data", rename("a", "b"))], shape=present("data.b"))]
    return Chain(steps, [Baseline("o", "1", shape=present("data"))], readers=[upcast_envelope(enveloping())])


def test_an_envelope_is_upcast_by_a_chain_of_its_own() -> None:
    found = in_envelopes()
    assert values_of(outcome_of(found, b'{"payload":{"a":1.10}}')) == [b'{"data":{"b":1.10}}']
    assert values_of(outcome_of(found, b'{"data":{"a":1.10}}')) == [b'{"data":{"b":1.10}}']
    assert isinstance(outcome_of(found, b'{"data":{"b":1}}'), Passed)
    assert isinstance(outcome_of(found, b'{"payload":{"b":1}}'), Upcast)


def test_an_envelope_that_cannot_be_upcast_says_why() -> None:
    stage, error, _, told = fault_of(outcome_of(in_envelopes(), b'{"other":1}'))
    assert (stage, error) == ("decode", "ReaderError")
    assert told.startswith("the envelope cannot be upcast: no rule could tell the version")


def test_a_chain_of_envelopes_does_nothing_around_the_document() -> None:
    wrong = Chain([Step("envelope", "1", "2", [set_key("a")], lossy="the key")], [Baseline("envelope", "1")])
    with pytest.raises(ChainError, match="a chain of envelopes splits or drops"):
        chain(upcast_envelope(wrong))


# What is for no reader, the way down, and what names its version.


@pytest.mark.parametrize("reader", ["cloudevents-data", "cloudevents-array", "cloudevents-empty"])
def test_what_is_no_envelope_is_left_to_the_decoder(reader: ReaderName) -> None:
    assert fault_of(outcome_of(events(reader), ENVELOPE.encode()))[3] == "the value is not JSON"
    headers = [("ce_type", b"t")]
    whole = outcome_of(events(reader), b'{"specversion":"1.0","a":1}', None, headers)
    assert values_of(whole) == [b'{"specversion":"1.0","b":1}']
    (value,) = values_of(outcome_of(events(reader), enveloped(',"data":{"a":1}')))
    assert json.loads(value)["data"] == {"b": 1}


def test_a_function_may_make_so_many_events_and_no_more() -> None:
    many = chain(read_with(lambda _: [b'{"b":1}'] * (MOST_EVENTS + 1), splits=True))
    assert fault_of(outcome_of(many, b"x"))[1] == "TooManyEvents"


def test_a_document_goes_down_into_an_older_one_that_readers_read() -> None:
    upcaster = chain("byte-order-mark", "array").upcaster(Policy(target={"o": "1"}))
    mark = b"\xef\xbb\xbf"
    down = upcaster.downcast_into(Event(mark + b'{"b":1}', offset=1), mark + b'{"a":2}', SOURCE)
    assert values_of(down) == [b'{"a":1}']
    assert values_of(upcaster.downcast_into(Event(b'{"b":1}'), b'{"a":2}')) == [b'{"a":1}']
    for value, older in ((b'[{"b":1}]', b'{"a":2}'), (b'{"b":1}', b'[{"a":2}]')):
        fault = fault_of(upcaster.downcast_into(Event(value, offset=1), older, SOURCE))
        assert fault[1] in {"ReaderError", "NoCoordinates"}


def test_a_record_names_its_version_where_each_of_its_events_does() -> None:
    rules = Detection((Always("o"),), (FromField("v"), Always("1")))
    found = Chain([Step("o", "1", "2", [rename("a", "b")])], [Baseline("o", "1")], detection=rules, readers=["utf-16"])
    upcaster = found.upcaster()
    assert [reader.name for reader in upcaster.readers] == ["utf-16"]
    assert upcaster.names_version(Event('{"v":"1"}'.encode("utf-16")))
    assert not upcaster.names_version(Event('{"a":"1"}'.encode("utf-16")))
    assert not upcaster.names_version(Event('{"v":"1"}'.encode("utf-16")[:-1]))
    several = Chain([Step("o", "1", "2", [])], [Baseline("o", "1")], detection=rules, readers=["array"]).upcaster()
    assert several.names_version(Event(b'[{"v":"1"},{"v":"2"}]', offset=1), SOURCE)
    assert not several.names_version(Event(b'[{"v":"1"},{}]', offset=1), SOURCE)


@pytest.mark.parametrize(("readers", "may"), [((), False), (("utf-16",), False), (("array",), True)])
def test_a_route_says_whether_its_readers_may_split(readers: tuple[ReaderName, ...], *, may: bool) -> None:
    chain = Chain([Step("t", "1", "2", [rename("a", "b", missing="skip")])], [Baseline("t", "1")], readers=readers)
    assert chain.upcaster(Policy(Detection((Always("t"),), (Always("1"),)))).splits_values is may
