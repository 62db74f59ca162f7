"""A route's choices, one by one; and the short cut, the middle and the reference of one mind about all of them."""

from __future__ import annotations

import enum
import itertools
import json
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ConfigDict

from upcasters import (
    Always,
    Baseline,
    Chain,
    ChainError,
    DeadLettered,
    Detection,
    Event,
    Fault,
    FromCloudEvents,
    FromField,
    FromHeader,
    FromShape,
    Operation,
    Outcome,
    Passage,
    Passed,
    Policy,
    Record,
    Skipped,
    SourcePartition,
    Step,
    Upcast,
    Upcaster,
    Violation,
    absent,
    add,
    assign,
    at,
    convert,
    default,
    derive,
    drop_event,
    equals,
    everywhere,
    map_values,
    parse_json,
    present,
    rename,
    set_header,
    split_each,
    subdocument,
    switch,
    when,
)
from upcasters.duplicates import refuse_anywhere
from upcasters.errors import TooDeep
from upcasters.event import Header
from upcasters.operations.values import KEY
from upcasters.policy import ValidationChoice

SOURCE = SourcePartition("topic", 4)


class Old(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class New(BaseModel):
    model_config = ConfigDict(extra="allow")
    b: int
    c: str


STEPS = [
    Step("t", 1, 2, [rename("a", "b"), default("c", "x")], model=New, shape=present("b"), looks_like=[1]),
    Step("t", 2, 3, [default("d", 1)], preview=True),
]
BASELINE = Baseline("t", 1, model=Old, shape=absent("b"), looks_like=[2])
BY_HEADER = Detection((Always("t"),), (FromHeader("v"), Always("1")))
BY_SHAPE = Detection((Always("t"),), (FromShape(),))
BY_BOTH = Detection((Always("t"),), (FromHeader("v"), FromShape(), Always("1")))
CHAIN = Chain(STEPS, [BASELINE], detection=BY_HEADER)


def upcast(upcaster: Upcaster, event: Event) -> Outcome:
    """The outcome, after all three ways to it have been compared."""
    outcome = upcaster.upcast(event, SOURCE)
    assert outcome == upcaster.reference.upcast(event, SOURCE), event
    assert outcome == upcaster.trace(event, SOURCE).outcome, event
    return outcome


def run(policy: Policy, value: bytes | None, *headers: Header, offset: int | None = 1) -> Outcome:
    return upcast(CHAIN.upcaster(policy), Event(value, b"key", headers, 5, offset))


def fault(outcome: Outcome) -> Fault:
    assert isinstance(outcome, DeadLettered), outcome
    return outcome.fault


ONE, TWO = ("v", b"1"), ("v", b"2")


def test_up() -> None:
    outcome = run(Policy(), b'{ "a":1, "z" : [1, 2]}')
    assert outcome == Upcast(Passage("t", "1", "2", 1), b'{"b":1,"z":[1, 2],"c":"x"}')
    event = Event(b"{}", b"k", [ONE])
    assert outcome.output(event) == (Record(b'{"b":1,"z":[1, 2],"c":"x"}', b"k", [ONE]),)
    stamped = run(Policy(), b'{"a":1}', ONE)
    assert isinstance(stamped, Upcast)
    assert stamped.records == (Record(b'{"b":1,"c":"x"}', b"key", [TWO]),)
    assert stamped.output(event) is stamped.records


OUTPUTS: dict[str, tuple[bytes | None, list[Header], type, list[bytes | None]]] = {
    "changed": (b'{"a":1}', [], Upcast, [b'{"b":1,"c":"x"}']),
    "its header stamped": (b'{"a":1}', [ONE], Upcast, [b'{"b":1,"c":"x"}']),
    "current": (b'{"b":1,"c":"x"}', [TWO], Passed, [b'{"b":1,"c":"x"}']),
    "a tombstone": (None, [ONE], Passed, [None]),
    "no JSON": (b"?", [ONE], DeadLettered, []),
    "of the future, skipped by nobody": (b"{}", [("v", b"9")], DeadLettered, []),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_outcome_gives_its_records_in_one_way(name: str) -> None:
    value, headers, kind, values = OUTPUTS[name]
    event = Event(value, b"key", headers)
    outcome = CHAIN.upcaster().upcast(event)
    assert type(outcome) is kind
    records = outcome.output(event)
    assert [record.value for record in records] == values
    assert all(record.key == b"key" for record in records)
    assert [list(record.headers) for record in records] == [[TWO] if headers == [ONE] and value else headers] * len(
        values
    )
    if isinstance(outcome, Upcast):
        assert outcome.value == values[0]


def test_what_is_skipped_has_no_records() -> None:
    event = Event(b"{}")
    assert Skipped(Passage("t", "1", "2"), "dropped").output(event) == ()


def test_one_value_is_asked_of_one_record() -> None:
    chain = Chain(
        [Step("t", 1, 2, [split_each("a", into="i", item="n", version="1")], lossy="split")],
        [Baseline("t", 1), Baseline("i", 1)],
        detection=Detection((Always("t"),), (Always("1"),)),
    )
    outcome = chain.upcaster().upcast(Event(b'{"a":[1,2]}', None, (), None, 1), SourcePartition("topic", 0))
    assert isinstance(outcome, Upcast)
    assert [record.value for record in outcome.records] == [b'{"n":1}', b'{"n":2}']
    with pytest.raises(ValueError, match=r"the event became 2 records: ask for output\(event\)"):
        _ = outcome.value


def test_an_outcome_shows_what_may_be_asked_of_it() -> None:
    passage = Passage("t", "1", "2", 1)
    assert repr(Upcast(passage, b"{}")) == f"Upcast(passage={passage!r}, value=b'{{}}')"
    record = Record(b"{}", None, [TWO])
    assert repr(Upcast(passage, None, (record,))) == f"Upcast(passage={passage!r}, records=({record!r},))"


def test_records_are_not_guessed() -> None:
    outcome = CHAIN.upcaster().upcast(Event(b'{"a":1}', b"key"))
    assert isinstance(outcome, Upcast)
    with pytest.raises(ValueError, match=r"ask for output\(event\)"):
        _ = outcome.records


def test_at_the_target_the_bytes_are_the_same() -> None:
    value = b' {"c":"x" ,"b":1}'
    for policy in (Policy(), Policy(validate_target="never")):
        assert run(policy, value, TWO) == Passed(Passage("t", "2", "2"), "current")


def test_at_the_target_by_its_header_an_event_is_not_read() -> None:
    upcaster = CHAIN.upcaster(Policy(validate_target="never"))
    assert upcaster.upcast(Event(b"\xff", None, [TWO])) == Passed(Passage("t", "2", "2"), "current")
    assert fault(CHAIN.upcaster(Policy()).upcast(Event(b"\xff", None, [TWO]))).stage == "decode"


def test_a_tombstone_stays_one() -> None:
    assert run(Policy(), None) == Passed(Passage("t", "", ""), "tombstone")
    assert run(Policy(duplicate_keys="refuse"), None, ("v", b"?")) == Passed(Passage("t", "", ""), "tombstone")
    by_field = Chain(STEPS, [BASELINE], detection=Detection((FromField("type"),), (Always("1"),))).upcaster()
    assert by_field.upcast(Event(None)) == Passed(Passage("", "", ""), "tombstone")


def test_one_object_for_one_way() -> None:
    upcaster = CHAIN.upcaster()
    first, second = (upcaster.upcast(Event(b'{"a":1}')) for _ in range(2))
    assert isinstance(first, Upcast)
    assert isinstance(second, Upcast)
    assert first.passage is second.passage


def test_pinned_up_and_down() -> None:
    up = run(Policy(target={"t": "3"}), b'{"a":1}')
    assert isinstance(up, Upcast)
    assert up.value == b'{"b":1,"c":"x","d":1}'
    down = run(Policy(target={"t": "1"}), b'{"b":1,"c":"x"}', TWO)
    assert isinstance(down, Upcast)
    assert down.records == (Record(b'{"a":1}', b"key", [ONE]),)
    assert CHAIN.upcaster(Policy(target={"t": "1"})).target("t", "2") == "1"


@pytest.mark.parametrize(
    ("choice", "kind", "reason"),
    [("dead-letter", DeadLettered, ""), ("pass", Passed, "policy"), ("skip", Skipped, "policy")],
)
def test_an_unknown_type(choice: Any, kind: type, reason: str) -> None:
    chain = Chain(STEPS, [BASELINE], detection=Detection((FromField("type"),), (Always("1"),)))
    outcome = upcast(chain.upcaster(Policy(unknown_type=choice)), Event(b'{"type":"x"}'))
    assert type(outcome) is kind
    if isinstance(outcome, (Passed, Skipped)):
        assert (outcome.reason, outcome.passage) == (reason, Passage("x", "1", "1"))
    else:
        assert fault(outcome).error_type == "UnknownType"


def test_a_future_version() -> None:
    assert run(Policy(future_version="pass"), b"{}", ("v", b"9")) == Passed(Passage("t", "9", "9"), "policy")
    assert fault(run(Policy(), b"{}", ("v", b"9"))).error_type == "FutureVersion"
    assert fault(run(Policy(future_version="pass"), b"{}", ("v", b"0"))).error_type == "UnknownVersion"


def test_duplicate_keys() -> None:
    twice = b'{"a":1,"z":[{"x":1,"x":2}],"a":2}'
    assert fault(run(Policy(), twice)).message == "an object has the same key twice"
    unopened = run(Policy(), b'{"a":1,"z":[{"x":1,"x":2}]}')
    assert isinstance(unopened, Upcast)
    assert unopened.value == b'{"b":1,"z":[{"x":1,"x":2}],"c":"x"}'
    last = run(Policy(duplicate_keys="last-wins"), twice)
    assert isinstance(last, Upcast)
    assert last.value == b'{"b":2,"z":[{"x":1,"x":2}],"c":"x"}'
    refuse = Policy(duplicate_keys="refuse")
    assert fault(run(refuse, twice)).message == "an object has the same key twice"
    assert fault(run(refuse, b'{"a":1,"z":[{"x":1,"x":2}]}')).stage == "decode"
    assert fault(run(refuse, b'{"a":1,"\\u0061":2}')).stage == "decode"
    assert isinstance(run(refuse, b'{"a":1,"z":1e400,"y":%s}' % (b"1" * 5000)), Upcast)
    assert fault(run(refuse, b"{")).message == "the value is not JSON"
    with pytest.raises(TooDeep):
        refuse_anywhere(b"[" * 100_000 + b"]" * 100_000)


DOUBLED = b'{"m":1,"k":2,"m":3}'
OPENED: dict[str, tuple[Operation, bytes, bool]] = {
    "in a path": (rename("a.k", "x"), b'{"a":%s}' % DOUBLED, True),
    "an item": (rename("a.*.k", "x"), b'{"a":[{"k":1}, %s]}' % DOUBLED, True),
    "a member": (rename("a.*.k", "x"), b'{"a":{"p":{"k":1},"q":%s}}' % DOUBLED, True),
    "the object of members": (rename("a.*.k", "x"), b'{"a":{"p":{"k":1},"p":{"k":2}}}', True),
    "at a path": (at("a", rename("k", "x")), b'{"a":%s}' % DOUBLED, True),
    "anywhere": (everywhere(present("k"), rename("k", "x")), b'{"a":[[%s]]}' % DOUBLED, True),
    "very deep": (everywhere(present("k"), rename("k", "x")), b'{"a":%s}' % (b"[" * 20 + DOUBLED + b"]" * 20), True),
    "beside it": (rename("a.k", "x"), b'{"a":{"k":1,"z":%s}}' % DOUBLED, False),
    "where nothing is": (rename("a.k", "x", missing="skip"), b'{"b":%s}' % DOUBLED, False),
    "the object that the version is in": (rename("b", "x"), b'{"b":1,"v":{"v":"1","m":1,"m":2}}', True),
    "in a text": (parse_json("a"), b'{"a":"%s"}' % DOUBLED.replace(b'"', b'\\"'), False),
}


def test_what_passes_loses_nothing() -> None:
    value = b'{"v":{"v":"2","m":1,"m":2},"k":1,"k":2}'
    made = chain_of(rename("a", "b"))
    made = Chain(made.steps, made.baselines, detection=Detection((Always("t"),), (FromField("v.v"),)))
    assert isinstance(upcast(made.upcaster(Policy(validate_target="never")), Event(value)), Passed)


@pytest.mark.parametrize(("operation", "value", "refused"), OPENED.values(), ids=OPENED.keys())
def test_a_duplicate_key_never_vanishes(operation: Operation, value: bytes, refused: bool) -> None:
    rules = (FromField("v.v"), Always("1"))
    made = chain_of(operation)
    made = Chain(made.steps, made.baselines, detection=Detection((Always("t"),), rules))
    outcome = upcast(made.upcaster(), Event(value))
    assert isinstance(outcome, DeadLettered if refused else Upcast)
    spaced = Event(value.replace(b":", b": ").replace(b",", b" , "))
    assert isinstance(upcast(made.upcaster(), spaced), DeadLettered if refused else Upcast)
    if isinstance(outcome, Upcast):
        assert (outcome.value or b"").count(b'"m":') == 2
    assert fault(upcast(made.upcaster(Policy(duplicate_keys="refuse")), Event(value))).error_type == "DecodeError"
    assert isinstance(upcast(made.upcaster(Policy(duplicate_keys="last-wins")), Event(value)), Upcast)


VALID, NO_SOURCE, NO_TARGET = b'{"a":1}', b'{"a":"x"}', b'{"a":1,"c":7}'


@pytest.mark.parametrize("detection", [BY_HEADER, BY_SHAPE], ids=["header", "shape"])
@pytest.mark.parametrize("target", get_args(ValidationChoice))
@pytest.mark.parametrize("source", get_args(ValidationChoice))
def test_validation(source: ValidationChoice, target: ValidationChoice, detection: Detection) -> None:
    policy = Policy(detection, validate_source=source, validate_target=target, sample_every=2)
    violations: list[Violation] = []
    upcaster = CHAIN.upcaster(policy, violations.append)
    quiet = CHAIN.upcaster(policy)
    refuses = {choice: choice == "always" for choice in get_args(ValidationChoice)}
    two = [TWO] if detection is BY_HEADER else []
    for offset in (6, 7):
        tells = {choice: choice in ("observe", "sampled") and offset == 6 for choice in get_args(ValidationChoice)}
        for event, faults, otherwise in (
            (Event(VALID, offset=offset), (), Upcast),
            (Event(NO_SOURCE, offset=offset), (("1", source), ("2", target)), Upcast),
            (Event(NO_TARGET, offset=offset), (("2", target),), Upcast),
            (Event(b'{"b":1,"c":7}', None, two, None, offset), (("2", target),), Passed),
        ):
            violations.clear()
            outcome = upcaster.upcast(event)
            assert isinstance(outcome, DeadLettered if any(refuses[choice] for _, choice in faults) else otherwise)
            assert quiet.upcast(event) == outcome
            reached = list(itertools.takewhile(lambda fault: not refuses[fault[1]], faults))
            told = [(each.event_type, each.version, each.fault.error_type) for each in violations]
            assert told == [("t", version, "InvalidEvent") for version, choice in reached if tells[choice]]


def test_without_an_offset_a_share_of_the_contents_is_observed() -> None:
    violations: list[Violation] = []
    upcaster = CHAIN.upcaster(Policy(validate_target="observe", sample_every=3), violations.append)
    events = [Event(b'{"a":%d,"c":7}' % number) for number in range(200)]
    assert {type(upcast(upcaster, event)) for event in events} == {Upcast}
    first = len(violations)
    assert 30 < first / 3 < 110, "each event is upcast three times here"


def test_equal_events_have_one_fate_whatever_their_offsets() -> None:
    upcaster = CHAIN.upcaster(Policy(validate_source="sampled", validate_target="sampled", sample_every=2))
    assert len({repr(upcaster.upcast(Event(NO_SOURCE, offset=offset))) for offset in range(10)}) == 1


def test_values_are_reported_only_where_asked_for() -> None:
    value = b'{"a":1,"c":765432}'
    assert "765432" not in fault(run(Policy(), value)).message
    told = fault(run(Policy(include_values=True), value))
    assert "765432" in told.message
    assert (told.stage, told.path, told.error_type) == ("validate", "c", "InvalidEvent")


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Policy(target={"x": "1"}), "target names the type x"),
        (Policy(target={"t": "7"}), r"t has no version 7\. Use one of 1, 2, 3"),
        (Policy(sample_every=0), "sample_every is less than 1"),
        (Policy(validate_target="perhaps"), "validate_target='perhaps' is not a choice"),  # type: ignore[arg-type]  # wrong on purpose
        (Policy(Detection((Always("x"),))), "the type is always 'x', which the chain does not have"),
        (Policy(Detection(version=(Always("9"),))), "the version is always '9'"),
        (Policy(Detection(version=(Always("1"), FromHeader("v")))), "is never asked"),
        (Policy(Detection(version=(FromField("a.*"),))), "asks for no single field"),
    ],
    ids=range(8),
)
def test_a_policy_that_does_not_fit(policy: Policy, message: str) -> None:
    with pytest.raises(ChainError, match=message):
        CHAIN.upcaster(policy)


def test_a_shape_rule_without_shapes() -> None:
    chain = Chain([Step("t", 1, 2, [add("a", 1)])], [Baseline("t", 1)])
    with pytest.raises(ChainError, match="no version of the chain declares one"):
        chain.upcaster(Policy(Detection((), (FromShape(), Always("1")))))


# Who does the work.


TWO_HEADERS = Detection((Always("t"),), (FromHeader("v"), FromHeader("w")))
BY_FIELD = Detection((Always("t"),), (FromField("v"), FromHeader("v"), Always("1")))
BY_DEEP_FIELD = Detection((FromField("m.type"), Always("t")), (FromField("m.v"), FromField("v"), FromShape()))
TYPED = Detection((FromHeader("type"), FromField("type"), Always("t")), (FromHeader("v"), FromShape(), Always("1")))
SHORT = {
    "header": BY_HEADER,
    "shape": BY_SHAPE,
    "both": BY_BOTH,
    "two headers": TWO_HEADERS,
    "field": BY_FIELD,
    "deep field": BY_DEEP_FIELD,
    "typed": TYPED,
}


def test_a_type_without_shapes_is_detected_by_the_other_rules() -> None:
    rules = Detection((Always("t"),), (FromHeader("v"), FromShape()))
    other = Baseline("other", 1, shape=present("a"))
    upcaster = Chain([Step("t", 1, 2, [default("a", 1)])], [other], detection=rules).upcaster()
    assert upcast(upcaster, Event(b"{}", None, [("v", b"1")], None, 1)) == Upcast(
        Passage("t", "1", "2", 1), None, (Record(b'{"a":1}', None, [("v", b"2")]),)
    )
    assert isinstance(upcast(upcaster, Event(b"{}", offset=1)), DeadLettered)


def test_the_short_cut_is_for_most_routes() -> None:
    chains = {name: Chain(STEPS, [BASELINE], detection=detection) for name, detection in SHORT.items()}
    for chain in chains.values():
        assert "def short_cut(record, source=None):" in chain.upcaster().source
    for detection in (
        Detection((Always("t"),), (FromCloudEvents("dataschema"),)),
        Detection((FromHeader("v"),), (FromHeader("v"),)),
    ):
        assert chains["field"].upcaster(Policy(detection)).source == ""
    assert chains["field"].upcaster(Policy(duplicate_keys="refuse")).source == ""


HEADERS: list[list[Header]] = [
    [],
    [ONE],
    [TWO],
    [("v", b"3")],
    [("v", b"?")],
    [("v", None)],
    [("v", b"\xff")],
    [ONE, ("v", None)],
    [("w", b"1")],
    [TWO, ("w", b"1")],
    [ONE, ("w", b"1")],
    [("type", b"t")],
    [("type", b"?"), ONE],
]
VALUES = [
    *(b'{"a":1}', b'{"b":1,"c":"x"}', b"{}", b"[]", b'{"a":"\xc3"}', '{"a":1,"é":1}'.encode()),
    *(b'{"a":1,"v":1}', b'{"a":1,"v":"1"}', b'{"a":1,"v":1.0}', b'{"a":1,"v":-0}', b'{"a":1,"v":null}'),
    *(b'{"a":1,"v":[1]}', b'{"a":1,"v":true}', b'{"a":1,"v":%s}' % (b"9" * 5_000), b'{"b":1,"c":"x","v":2}'),
    *(b'{"a":1,"m":{ "type" : "t" , "v" : 1 }}', b'{"a":1,"m":{"type":"\\u0074","v":"1"},"v":2}', b'{"a":1,"m":7}'),
    *(b'{"a":1,"type":"t"}', b'{"a":1,"type":"u","m":{"type":"u"}}'),
]


@pytest.mark.parametrize("detection", SHORT.values(), ids=SHORT.keys())
def test_all_ways_give_the_same_outcome(detection: Detection) -> None:
    """An upcaster takes longer to make than to try on all events."""
    for policy in (Policy(detection), Policy(detection, target={"t": "3"}, validate_source="always")):
        upcaster = CHAIN.upcaster(policy)
        for headers, value in itertools.product(HEADERS, VALUES):
            upcast(upcaster, Event(value, None, headers, None, 0))


def chain_of(*operations: Any, **options: Any) -> Chain:
    return Chain(
        [Step("t", 1, 2, operations, lossy="made up", **options), Step("inner", 1, 2, [add("new", 1)])],
        [Baseline("t", 1), Baseline("inner", 1)],
        detection=Detection((Always("t"),), (Always("1"),)),
    )


@pytest.mark.parametrize(
    ("operation", "needs_context"),
    [
        (default("a", 1), False),
        (at("a", default("b", 1)), False),
        (when(present("a"), default("b", 1)), False),
        (everywhere(present("b"), default("c", 1)), False),
        (derive("k", ["a"], str), False),
        (derive("k", [KEY], str), True),
        (at("a", derive("k", [KEY], str)), True),
        (when(present("a"), at("a", derive("k", [KEY], str))), True),
        (set_header("h", "x"), True),
        (switch("a", {1: set_header("h", "x")}, otherwise=[]), True),
        (subdocument("a", "inner", version="1"), True),
    ],
    ids=str,
)
def test_what_needs_more_than_the_document(operation: Any, needs_context: bool) -> None:
    upcaster = chain_of(operation).upcaster()
    text = upcaster.source_of(("t", "1"))
    assert "def upcast(record, source, value, root, version):  # 1 -> 2" in text
    assert ("bring(record, source, " in text or "context = Context.of(record, source, " in text) is needs_context
    event = Event(b'{"a":{"b":1}}', b"key", [("x", b"1")], None, 1)
    assert isinstance(upcast(upcaster, event), Upcast)


def test_only_the_document_and_key_and_headers_that_changed_make_a_record() -> None:
    event = Event(b'{"a":{}}', b"key", [("x", b"1")], None, 1)
    plain = upcast(chain_of(derive("k", [KEY], str)).upcaster(), event)
    assert plain == Upcast(Passage("t", "1", "2", 1), b'{"a":{},"k":"key"}')
    more = upcast(chain_of(set_header("h", "x")).upcaster(), event)
    assert more == Upcast(Passage("t", "1", "2", 1), None, (Record(b'{"a":{}}', b"key", [("x", b"1"), ("h", b"x")]),))


def test_whatever_a_function_raises_is_a_dead_letter() -> None:
    def broken(_value: Any) -> Any:
        raise KeyError("secret")

    found = fault(upcast(chain_of(convert("a", broken)).upcaster(), Event(b'{"a":1}')))
    assert (found.stage, found.error_type, found.step, found.path) == ("upcast", "FunctionFailed", "t:1->2", "a")
    assert "secret" not in found.message
    assert (found.event_type, found.from_version, found.to_version) == ("t", "1", "2")


def test_an_error_that_nobody_foresaw_is_a_dead_letter_too() -> None:
    class Broken:  # a client's record may be anything
        value, key, timestamp, offset = b"{}", None, None, None

        @property
        def headers(self) -> Sequence[Header]:
            raise OSError("secret")

    found = fault(CHAIN.upcaster().upcast(Broken()))
    assert (found.stage, found.error_type, found.message) == ("upcast", "OSError", "OSError in the chain")


def test_what_cannot_be_written_is_a_dead_letter() -> None:
    made: list[Any] = [float("nan"), {1: 2}, object(), "\ud800"]
    for value in made:
        upcaster = chain_of(convert("a", lambda _, value=value: value)).upcaster()  # type: ignore[misc]  # mypy cannot tell the type of a default in a lambda
        found = fault(upcast(upcaster, Event(b'{"a":1}')))
        assert (found.stage, found.error_type) == ("encode", "EncodeError")


def test_the_trace_shows_every_hop() -> None:
    trace = CHAIN.upcaster(Policy(target={"t": "3"})).trace(Event(b'{"a":1}'))
    assert [(hop.before, hop.after) for hop in trace.hops] == [
        (b'{"a":1}', b'{"b":1,"c":"x"}'),
        (b'{"b":1,"c":"x"}', b'{"b":1,"c":"x","d":1}'),
    ]
    failed = CHAIN.upcaster().trace(Event(b"{}"))
    assert fault(failed.outcome).step == "t:1->2"
    assert not failed.hops


def test_the_same_fault_has_the_same_fingerprint() -> None:
    one, other = (fault(run(Policy(), value)) for value in (b'{"z":1}', b'{"y":2}'))
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != fault(run(Policy(), b'{"a":"x"}')).fingerprint
    assert len(one.fingerprint) == 16


# A document inside the document.

INNER = [
    Step("inner", 1, 2, [add("new", 1)]),
    Step("inner", 2, 3, [when(present("gone"), drop_event()), rename("new", "newer")], lossy="made up"),
]


def test_a_document_inside_goes_to_its_own_target() -> None:
    chain = Chain(
        [Step("t", 1, 2, [subdocument("a", "inner", version_field="v"), add("b", 1)], lossy="made up"), *INNER],
        [Baseline("t", 1), Baseline("inner", 1)],
        detection=Detection((Always("t"),), (Always("1"),)),
    )
    upcaster = chain.upcaster()
    outcome = upcast(upcaster, Event(b'{"a":{"v":1}}'))
    assert isinstance(outcome, Upcast)
    assert outcome.value == b'{"a":{"v":3,"newer":1},"b":1}'
    current = upcast(upcaster, Event(b'{"a":{"v":3}}'))
    assert isinstance(current, Upcast)
    assert current.value == b'{"a":{"v":3},"b":1}'
    assert fault(upcast(upcaster, Event(b'{"a":{"v":9}}'))).error_type == "UnknownVersion"
    assert fault(upcast(upcaster, Event(b'{"a":{"v":1,"gone":1}}'))).message.endswith(
        "cannot be dropped or split (in a)"
    )
    pinned = upcast(chain.upcaster(Policy(target={"inner": "2"})), Event(b'{"a":{"v":1}}'))
    assert isinstance(pinned, Upcast)
    assert pinned.value == b'{"a":{"v":2,"new":1},"b":1}'


def test_a_split_behind_a_dropped_event_does_not_happen() -> None:
    beats = when(present("a"), drop_event(), otherwise=[split_each("b", into="inner", item="i", version="1")])
    upcaster = chain_of(beats).upcaster()
    assert upcast(upcaster, Event(b'{"a":1,"b":[1]}', offset=1)) == Skipped(Passage("t", "1", "2", 1), "dropped")
    outcome = upcast(upcaster, Event(b'{"b":[1]}', offset=1))
    assert isinstance(outcome, Upcast)
    assert json.loads(outcome.value or b"") == {"i": 1, "new": 1}


class Word(str, enum.Enum):  # noqa: UP042  # unlike a StrEnum's, its str() is not its value
    TYPE = "thing"
    ONE = "1"
    NAME = "name"
    TITLE = "title"


class Number(enum.IntEnum):
    TWO = 2


def test_members_of_enumerations_stand_for_their_values() -> None:
    step = Step(Word.TYPE, Word.ONE, Number.TWO, [rename((Word.NAME,), Word.TITLE)])
    rules = Detection((Always(Word.TYPE),), (FromField("v"),))
    upcaster = Chain([step], detection=rules, current={Word.TYPE: Number.TWO}).upcaster()
    event = Event(b'{"v":1,"name":"a"}')
    outcome = upcaster.upcast(event)
    assert outcome == upcaster.reference.upcast(event)
    assert isinstance(outcome, Upcast)
    assert outcome.value == b'{"v":2,"title":"a"}'
    assert step.id == "thing:1->2"


def test_members_of_enumerations_are_values_too() -> None:
    operations = [
        map_values("a", {Word.ONE: Word.TITLE}),
        default("b", Number.TWO),
        convert("c", lambda _: [Word.NAME, Number.TWO]),
        when(equals("kind", Word.TYPE), assign("kind", None)),
    ]
    chain = Chain([Step("thing", 1, 2, operations, lossy="a test")], detection=Detection(version=(FromField("v"),)))
    upcaster = chain.upcaster()
    event = Event(b'{"v":1,"a":"1","c":0,"kind":"thing"}')
    outcome = upcaster.upcast(event)
    assert outcome == upcaster.reference.upcast(event)
    assert isinstance(outcome, Upcast)
    assert outcome.value == b'{"v":2,"a":"title","c":["name",2],"kind":null,"b":2}'


def test_a_split_where_the_last_of_two_keys_is_to_win() -> None:
    step = Step("t", "1", "2", [split_each("l", into="t", item="i")], lossy="for the test")
    upcaster = Chain([step], detection=Detection((Always("t"),), (Always("1"),))).upcaster(
        Policy(duplicate_keys="last-wins")
    )
    event = Event(b'{"k":1,"k":2,"l":[1]}', offset=1)
    source = SourcePartition("orders", 0)
    made = upcaster.upcast(event, source)
    assert made == upcaster.reference.upcast(event, source)
    assert isinstance(made, Upcast)
    assert [one.value for one in made.output(event)] == [b'{"k":2,"i":1}']


def test_a_part_that_cannot_be_brought_to_the_version_by_itself() -> None:
    part = [
        Step("p", "1", "2", [split_each("l", into="p", item="i", version="2")], lossy="x"),
        Step("p", "2", "3", [default("c", 1)]),
    ]
    doc = Step("t", "1", "2", [subdocument("part", "p", version="1", to="3")], lossy="x")
    upcaster = Chain([doc, *part], [Baseline("p", "1")], detection=Detection((Always("t"),), (Always("1"),))).upcaster()
    made = upcaster.upcast(Event(b'{"part":{"l":[1]}}', offset=1), SourcePartition("orders", 0))
    assert isinstance(made, DeadLettered)
    assert made == upcaster.reference.upcast(Event(b'{"part":{"l":[1]}}', offset=1), SourcePartition("orders", 0))
