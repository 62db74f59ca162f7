"""Type and version: where they are found, who is believed, and where the new ones are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from upcasters import (
    VERSION,
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
    FromShape,
    Outcome,
    Passed,
    Policy,
    Skipped,
    SourcePartition,
    Step,
    StepError,
    Upcast,
    absent,
    add,
    anything,
    matches,
    present,
    rename,
    split_each,
    up_to,
    when,
)
from upcasters.describe import history
from upcasters.detection import TypeRule, VersionRule
from upcasters.event import Header

SOURCE = SourcePartition("topic", 0)


def chain(*rules: VersionRule, types: Sequence[TypeRule] = (), **options: Any) -> Chain:
    """``t`` from 1 to 2 to 3; 1 and 3 have a shape, and a document of 2 may look like 1."""
    steps = [
        Step("t", 1, 2, [add("two", 2)], looks_like=[1]),
        Step("t", 2, 3, [rename("old", "new", missing="skip")], shape=present("new"), **options),
    ]
    baselines = [Baseline("t", 1, shape=absent("new")), Baseline("u", 1)]
    detection = Detection(tuple(types) or (Always("t"),), rules)
    return Chain(steps, baselines, detection=detection)


def detected(made: Chain, value: bytes, headers: Sequence[Header] = ()) -> tuple[str, str]:
    """The type and version that an event is taken for."""
    outcome = upcast(made, value, headers)
    assert isinstance(outcome, (Upcast, Passed)), outcome
    return outcome.passage.event_type, outcome.passage.from_version


def upcast(made: Chain, value: bytes, headers: Sequence[Header] = ()) -> Outcome:
    upcaster = made.upcaster()
    event = Event(value, None, headers, offset=1)
    outcome = upcaster.upcast(event, SOURCE)
    assert outcome == upcaster.reference.upcast(event, SOURCE)
    return outcome


def complaint(made: Chain, value: bytes, headers: Sequence[Header] = ()) -> str:
    outcome = upcast(made, value, headers)
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.stage == "detect"
    return outcome.fault.message


def output(made: Chain, value: bytes, headers: Sequence[Header] = ()) -> tuple[bytes | None, list[Header]]:
    outcome = upcast(made, value, headers)
    assert isinstance(outcome, Upcast)
    (record,) = outcome.output(Event(value, None, headers))
    return record.value, list(record.headers)


HEADER, FIELD, SHAPE, DEFAULT = FromHeader("v"), FromField("meta.v"), FromShape(), Always("1")


@pytest.mark.parametrize(
    ("rules", "value", "headers", "version"),
    [
        ([HEADER], b"{}", [("v", b"2")], "2"),
        ([HEADER], b"{}", [("v", b"1"), ("w", b"3"), ("v", b"2")], "2"),
        ([HEADER, DEFAULT], b"{}", [("v", None)], "1"),
        ([HEADER, DEFAULT], b"{}", [("V", b"2")], "1"),
        ([FIELD], b'{"meta":{"v":"2"}}', [], "2"),
        ([FIELD], b'{"meta":{"v":2}}', [], "2"),
        ([FIELD], b'{"meta":{"v":"\\u0032"}}', [], "2"),
        ([FIELD, DEFAULT], b'{"meta":{"v":null}}', [], "1"),
        ([FIELD, DEFAULT], b'{"meta":[]}', [], "1"),
        ([FIELD, DEFAULT], b"{}", [], "1"),
        ([HEADER, FIELD], b'{"meta":{"v":2}}', [("v", b"2")], "2"),
        ([HEADER, FIELD], b'{"meta":{"v":2}}', [], "2"),
        ([HEADER, FIELD], b"{}", [("v", b"2")], "2"),
        ([SHAPE], b"{}", [], "1"),
        ([SHAPE], b'{"new":1}', [], "3"),
        ([HEADER, SHAPE], b"{}", [("v", b"2")], "2"),
        ([HEADER, SHAPE], b'{"new":null}', [("v", b"3")], "3"),
        ([HEADER, SHAPE], b'{"new":null}', [("v", b"2")], "2"),
        ([SHAPE, DEFAULT], b'{"new":1}', [], "3"),
        ([FromHeader("v", r"v=(\d+)")], b"{}", [("v", b"application/json; v=2")], "2"),
        ([FromHeader("v", "(x)?1"), DEFAULT], b"{}", [("v", b"1")], "1"),
        ([FromField("meta.v", "^urn:t/(.+)$")], b'{"meta":{"v":"urn:t/2"}}', [], "2"),
        ([FromField("meta.v", "^(.)"), HEADER], b'{"meta":{"v":21}}', [("v", b"2")], "2"),
        *(([HEADER, DEFAULT], b"{}", [("v", silence)], "1") for silence in (b"", b" ", b"\t\n", b"null")),
        ([FromHeader("v", r"v=(\d+)"), DEFAULT], b"{}", [("v", b" ")], "1"),
        ([FIELD, HEADER], b'{"meta":{"v":""}}', [("v", b"2")], "2"),
        ([HEADER, FIELD], b'{"meta":{"v":2}}', [("v", b"null")], "2"),
        ([HEADER, SHAPE], b'{"new":1}', [("v", b"")], "3"),
    ],
    ids=range(31),
)
def test_the_version(rules: list[VersionRule], value: bytes, headers: list[Header], version: str) -> None:
    assert detected(chain(*rules), value, headers) == ("t", version)


@pytest.mark.parametrize(
    ("rules", "value", "headers", "message"),
    [
        ([HEADER, FIELD], b"{}", [], "no rule could tell the version (asked: header v, field meta.v)"),
        ([HEADER], b"{}", [("v", b"\xff")], "header v is not UTF-8"),
        ([HEADER, FIELD], b'{"meta":{"v":2}}', [("v", b"1")], "disagree about the version; the second is field meta.v"),
        ([FIELD, HEADER], b'{"meta":{"v":2}}', [("v", b"1")], "disagree about the version; the second is header v"),
        ([HEADER, SHAPE], b'{"new":1}', [("v", b"1")], "the shape is that of another version than the one named"),
        ([HEADER, SHAPE], b"{}", [("v", b"3")], "the shape is that of another version than the one named"),
        ([FIELD], b'{"meta":{"v":[]}}', [], "meta.v is neither a string nor a number"),
        ([FIELD], b'{"meta":{"v":true}}', [], "meta.v is neither a string nor a number"),
        ([HEADER, SHAPE], b"{}", [("v", b"4")], "the version is newer than the newest"),
        ([HEADER, SHAPE], b"{}", [("v", b"0")], "the chain does not know this version"),
        ([FIELD], b'{"meta":{"v":1.0}}', [], "the chain does not know this version"),
        ([FromHeader("v", "v(.)")], b"{}", [("v", b"2")], "header v does not match its pattern"),
        ([FromField("meta.v", "v(.)")], b'{"meta":{"v":2}}', [], "field meta.v does not match its pattern"),
    ],
    ids=range(13),
)
def test_no_version(rules: list[VersionRule], value: bytes, headers: list[Header], message: str) -> None:
    assert message in complaint(chain(*rules), value, headers)


def test_no_shape_fits() -> None:
    only = Chain([Step("t", 1, 2, [add("b", 1)])], [Baseline("t", 1, shape=present("a"))])
    assert complaint(only, b"{}") == "no rule could tell the version (asked: the shape)"


TYPE_HEADER, TYPE_FIELD = FromHeader("type"), FromField("type")


@pytest.mark.parametrize(
    ("rules", "value", "headers", "event_type"),
    [
        ([TYPE_HEADER], b"{}", [("type", b"u")], "u"),
        ([TYPE_FIELD], b'{"type":"u"}', [], "u"),
        ([TYPE_HEADER, TYPE_FIELD], b'{"type":"u"}', [("type", b"u")], "u"),
        ([TYPE_HEADER, Always("u")], b"{}", [], "u"),
        ([TYPE_HEADER, Always("t")], b"{}", [("type", b"u")], "u"),
        ([Always("u")], b'{"type":"t"}', [("type", b"t")], "u"),
    ],
    ids=range(6),
)
def test_the_type(rules: list[TypeRule], value: bytes, headers: list[Header], event_type: str) -> None:
    assert detected(chain(DEFAULT, types=rules), value, headers) == (event_type, "1")


def test_no_type() -> None:
    both = chain(DEFAULT, types=[TYPE_HEADER, TYPE_FIELD])
    assert complaint(both, b"{}") == "no rule could tell the type (asked: header type, field type)"
    assert "disagree about the type" in complaint(both, b'{"type":"t"}', [("type", b"u")])
    assert complaint(both, b'{"type":"x"}') == "the chain does not know this event type"


def test_a_chain_of_one_type_needs_no_rule_for_it() -> None:
    alone = Chain([Step("t", 1, 2, [add("a", 1)])], [Baseline("t", 1, shape=anything())])
    assert detected(alone, b"{}") == ("t", "1")
    split = Step("t", 1, 2, [split_each("a", into="child", item="i", version="1")], lossy="split")
    known = Chain([split], [Baseline("t", 1, shape=anything()), Baseline("child", 1)])
    assert detected(known, b'{"a":[1]}') == ("t", "1")
    with pytest.raises(ChainError, match=r"several event types \(child, t\)"):
        Chain([split], [Baseline("child", 1, shape=anything())]).upcaster()
    children = Chain([split], [Baseline("t", 1, shape=anything())])
    assert detected(children, b'{"a":[1]}') == ("t", "1")
    assert children.upcaster().target("t", "1") == "2"


def test_rules_that_no_route_can_have() -> None:
    with pytest.raises(ChainError, match=r"several event types \(t, u\)"):
        Chain(chain().steps, chain().baselines).upcaster()
    with pytest.raises(ChainError, match="no version of the chain declares a shape"):
        Chain([Step("t", 1, 2, [add("a", 1)])], [Baseline("t", 1)]).upcaster()
    for rule, message in (
        (FromCloudEvents("v", "("), "missing \\), unterminated"),
        (FromCloudEvents("v", "a"), "exactly one group"),
        (FromCloudEvents("v", "(a)(b)"), "exactly one group"),
        (FromField("a..b"), "empty part"),
    ):
        with pytest.raises(ChainError, match=message):
            chain(rule).upcaster()


# Stamps: the new type and version go where the old ones stood.


def test_a_header_is_stamped_in_its_place() -> None:
    headers = [("a", b"1"), ("v", b"0"), ("v", b"1"), ("b", None)]
    stamped = [("a", b"1"), ("v", b"0"), ("v", b"3"), ("b", None)]
    assert output(chain(HEADER), b"{}", headers) == (b'{"two":2}', stamped)
    assert output(chain(HEADER, DEFAULT), b"{}") == (b'{"two":2}', [])
    assert output(chain(HEADER, DEFAULT), b"{}", [("v", None)]) == (b'{"two":2}', [("v", None)])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"meta":{"v":1}}', b'{"meta":{"v":3},"two":2}'),
        (b'{"meta":{"v":"1"}}', b'{"meta":{"v":"3"},"two":2}'),
        (b'{"meta":{"v":null}}', b'{"meta":{"v":null},"two":2}'),
        (b'{"meta":{}}', b'{"meta":{},"two":2}'),
        (b"{}", b'{"two":2}'),
    ],
)
def test_a_field_is_stamped_in_its_own_type(before: bytes, after: bytes) -> None:
    assert output(chain(FIELD, DEFAULT), before) == (after, [])


PATTERNS: list[tuple[VersionRule, bytes, list[Header], bytes, list[Header]]] = [
    (
        FromHeader("v", r"v=(\d+)"),
        b"{}",
        [("v", b"application/json; v=2; q=2")],
        b"{}",
        [("v", b"application/json; v=3; q=2")],
    ),
    (FromField("meta.v", "^urn:t/(.+)$"), b'{"meta":{"v":"urn:t/2"}}', [], b'{"meta":{"v":"urn:t/3"}}', []),
    (FromField("meta.v", "^(.)"), b'{"meta":{"v":21}}', [], b'{"meta":{"v":31}}', []),
]


@pytest.mark.parametrize(("rule", "value", "headers", "after", "headers_after"), PATTERNS, ids=range(3))
def test_a_pattern_leaves_the_rest_as_it_is(
    rule: VersionRule, value: bytes, headers: list[Header], after: bytes, headers_after: list[Header]
) -> None:
    made, written = output(chain(rule), value, headers)
    assert made is not None
    assert (made.replace(b',"two":2', b""), written) == (after.replace(b',"two":2', b""), headers_after)


@pytest.mark.parametrize(
    ("pattern", "before", "after"),
    [
        (r"^(\d)", b"1", b"3"),
        (r"^(\d)(?!\.\d\.)", b"1.5", b"3.5"),
        (r"^(1(?=\.)|[2-9].*)", b"1.5", b"3"),
        (r"v(1|3)$", b"urn:v1", b"urn:v3"),
    ],
)
def test_a_pattern_can_read_again_what_was_written(pattern: str, before: bytes, after: bytes) -> None:
    made = chain(FromHeader("v", pattern))
    _, headers = output(made, b"{}", [("v", before)])
    assert headers == [("v", after)]
    assert detected(made, b'{"new":1}', headers) == ("t", "3")


def test_a_version_that_could_not_be_read_again_is_not_written() -> None:
    outcome = upcast(chain(FromHeader("v", r"^([12])$")), b"{}", [("v", b"1")])
    assert isinstance(outcome, DeadLettered)
    assert (outcome.fault.stage, outcome.fault.error_type) == ("encode", "UnreadableStamp")


@pytest.mark.parametrize(
    ("rules", "value", "headers", "after", "headers_after"),
    [
        ([HEADER, DEFAULT], b"{}", [], b'{"two":2}', [("v", b"3")]),
        ([HEADER, DEFAULT], b"{}", [("v", b"1")], b'{"two":2}', [("v", b"3")]),
        ([FIELD, DEFAULT], b"{}", [], b'{"two":2,"meta":{"v":"3"}}', []),
        ([FIELD, DEFAULT], b'{"meta":{"v":1}}', [], b'{"meta":{"v":3},"two":2}', []),
        ([FIELD, HEADER, DEFAULT], b"{}", [], b'{"two":2,"meta":{"v":"3"}}', []),
        ([HEADER, FIELD], b'{"meta":{"v":1}}', [], b'{"meta":{"v":3},"two":2}', [("v", b"3")]),
    ],
)
def test_the_first_place_gets_a_version(
    rules: list[VersionRule], value: bytes, headers: list[Header], after: bytes, headers_after: list[Header]
) -> None:
    made = chain(*rules)
    made = Chain(made.steps, made.baselines, detection=Detection((Always("t"),), rules, "first"))  # type: ignore[arg-type]  # wrong on purpose
    assert output(made, value, headers) == (after, headers_after)
    assert detected(made, after, headers_after) == ("t", "3")


def test_the_first_place_needs_a_rule_that_reads_one() -> None:
    with pytest.raises(ChainError, match="no rule that reads a version from a place"):
        chain().upcaster(Policy(Detection((Always("t"),), (Always("1"),), "first")))


def test_an_unknown_type_is_unknown_whatever_its_version() -> None:
    made = chain(HEADER, types=[FromField("type")])
    for headers in ([], [("v", b"\xff")], [("v", b"1")], [("v", b"9")]):
        outcome = upcast(made, b'{"type":"x"}', headers)
        assert isinstance(outcome, DeadLettered)
        assert outcome.fault.error_type == "UnknownType"
        skipped = made.upcaster(Policy(unknown_type="skip")).upcast(Event(b'{"type":"x"}', None, headers))
        assert isinstance(skipped, Skipped)


def test_what_cannot_be_compared_is_never_newer() -> None:
    upcaster = chain(HEADER).upcaster(Policy(future_version="pass"))
    for version, kind in (
        (b"10", "Passed"),
        (b"3.0.1", "Passed"),
        (b"3.0", "UnknownVersion"),
        (b"\x00\x01", "UnknownVersion"),
        (b'"1"', "UnknownVersion"),
        (b"latest", "UnknownVersion"),
        (b" 9", "UnknownVersion"),
    ):
        outcome = upcaster.upcast(Event(b"{}", None, [("v", version)]))
        assert (outcome.fault.error_type if isinstance(outcome, DeadLettered) else type(outcome).__name__) == kind


def test_a_number_becomes_text_where_the_new_version_is_none() -> None:
    named = Chain(
        [Step("t", 1, "two", [add("a", 1)]), Step("t", "two", "2024-06-01", [add("b", 1)])],
        [Baseline("t", 1)],
        detection=Detection((TYPE_FIELD, Always("t")), (FIELD,)),
    )
    assert output(named, b'{"meta":{"v":1}}')[0] == b'{"meta":{"v":"2024-06-01"},"a":1,"b":1}'


BY_EVENT = Detection((FromCloudEvents("type"),), (FromCloudEvents("dataschema", r"/v(\d+)$"), FromCloudEvents("v")))
CLOUD = Chain(
    [
        Step("t", 1, 2, [rename("a", "b")]),
        Step("t", 2, 3, [split_each("b", into="child", item="i", version="1")], lossy="split"),
    ],
    [Baseline("t", 1), Baseline("child", 1)],
    detection=BY_EVENT,
)


def test_cloud_events_in_binary_mode() -> None:
    headers = [("ce_id", b"\xff"), ("ce_type", b"t"), ("ce_dataschema", b"urn:x/v2"), ("ce_v", b"2")]
    outcome = upcast(CLOUD, b'{"b":[1,2],"specversion":"1.0"}', headers)
    assert isinstance(outcome, Upcast)
    first, second = outcome.output(Event(None))
    assert first.value == b'{"specversion":"1.0","i":1}'
    assert list(second.headers) == [
        ("ce_id", b"topic/0/1/1"),
        ("ce_type", b"child"),
        ("ce_dataschema", b"urn:x/v1"),
        ("ce_v", b"1"),
    ]


def test_cloud_events_in_structured_mode() -> None:
    value = b'{"specversion":"1.0","id":"A","type":"t","dataschema":"urn:x/v2","v":2,"data":{"b":[1]} ,"x":1.0}'
    assert output(CLOUD, value, [("ce_type", b"not looked at")]) == (
        b'{"specversion":"1.0","id":"topic/0/1/0","type":"child","dataschema":"urn:x/v1","v":1,"data":{"i":1},"x":1.0}',
        [("ce_type", b"not looked at")],
    )


ENVELOPE = b'{"specversion":"1.0","id":"1","source":"/s","type":"t","dataversion":"%s"%s}'
WITHOUT_A_DOCUMENT = {
    b"": "the CloudEvents envelope has no data that is JSON",
    b',"data_base64":"AAEC"': "the CloudEvents envelope has no data that is JSON",
    b',"data":null': "data is null, not an object",
    b',"data":[1]': "data is an array, not an object",
    b',"data":"text"': "data is a string, not an object",
}
IN_ENVELOPES = Chain(
    [Step("t", "1", "2", [add("z", 1)])],
    [Baseline("t", "1")],
    detection=Detection((FromCloudEvents("type"),), (FromCloudEvents("dataversion"),)),
)


@pytest.mark.parametrize(("rest", "why"), WITHOUT_A_DOCUMENT.items())
@pytest.mark.parametrize("headers", [[], [("content-type", b"application/cloudevents+json; charset=utf-8")]])
def test_an_envelope_tells_the_type_whatever_its_data_is(rest: bytes, why: str, headers: list[Header]) -> None:
    upcaster = IN_ENVELOPES.upcaster()
    current = upcaster.upcast(Event(ENVELOPE % (b"2", rest), None, headers))
    assert isinstance(current, Passed)
    old = Event(ENVELOPE % (b"1", rest), None, headers)
    outcome = upcaster.upcast(old)
    assert outcome == upcaster.reference.upcast(old)
    assert isinstance(outcome, DeadLettered)
    assert (outcome.fault.event_type, outcome.fault.from_version) == ("t", "1")
    assert (outcome.fault.error_type, outcome.fault.message) == ("WrongType", why)


def test_a_model_is_not_fitted_by_an_envelope_without_a_document() -> None:
    class Model(BaseModel):
        z: int = 0

    chain = Chain(
        [Step("t", "1", "2", [add("z", 1)], model=Model)], [Baseline("t", "1")], detection=IN_ENVELOPES.detection
    )
    outcome = chain.upcaster().upcast(Event(ENVELOPE % (b"2", b',"data":[1]')))
    assert isinstance(outcome, DeadLettered)
    assert outcome.fault.message == "data is an array, not an object"


def test_a_document_of_binary_mode_may_look_like_an_envelope() -> None:
    headers = [("ce_id", b"1"), ("ce_type", b"t"), ("ce_dataversion", b"1")]
    outcome = IN_ENVELOPES.upcaster().upcast(Event(ENVELOPE % (b"7", b""), None, headers))
    assert isinstance(outcome, Upcast)


@pytest.mark.parametrize(
    ("value", "headers", "message"),
    [
        (b"{}", [("ce_type", b"t"), ("ce_dataschema", b"no version")], "dataschema does not match its pattern"),
        (b"{}", [("ce_type", b"t"), ("ce_dataschema", b"/v1"), ("ce_v", b"2")], "disagree about the version"),
        (b"{}", [("ce_type", b"\xff")], "CloudEvents attribute type is not UTF-8"),
        (b'{"specversion":"1.0","data":1,"type":"t"}', [], "data is a number, not an object"),
        (b'{"specversion":"1.0","data":{},"type":{}}', [], "type is neither a string nor a number"),
        (b'{"specversion":"1.0","data":{"type":"t"}}', [("ce_type", b"t")], "no rule could tell the type"),
    ],
    ids=range(6),
)
def test_cloud_events_that_are_none(value: bytes, headers: list[Header], message: str) -> None:
    outcome = upcast(CLOUD, value, headers)
    assert isinstance(outcome, DeadLettered)
    assert message in outcome.fault.message


def test_an_attribute_that_is_not_there_is_not_written() -> None:
    rules = Detection((Always("t"),), (FromCloudEvents("schema", r"v(\d)"), FromCloudEvents("v"), Always("1")))
    plain = Chain([Step("t", 1, 2, [add("a", 1)])], [Baseline("t", 1)], detection=rules)
    envelope = b'{"specversion":"1.0","v":null,"data":{}}'
    assert output(plain, envelope)[0] == b'{"specversion":"1.0","v":null,"data":{"a":1}}'


def test_a_pattern_that_finds_nothing_leaves_the_attribute_alone() -> None:
    rules = Detection((Always("t"),), (FromCloudEvents("schema", r"x(\d)?"), Always("1")))
    plain = Chain([Step("t", 1, 2, [add("a", 1)])], [Baseline("t", 1)], detection=rules)
    assert output(plain, b"{}", [("ce_schema", b"urn:x")]) == (b'{"a":1}', [("ce_schema", b"urn:x")])
    moved = b'{"specversion":"1.0","schema":"urn:x1","data":{}}'
    assert output(plain, moved)[0] == b'{"specversion":"1.0","schema":"urn:x2","data":{"a":1}}'


def test_versions_that_are_taken_for_another() -> None:
    detection = Detection((Always("t"),), (FromField("v"), FromHeader("v")))
    made = Chain(
        [Step("t", "1.4", "2", [when(matches(VERSION, "^0"), add("old", True), otherwise=[])], lossy="x")],
        [Baseline("t", "1.4", also=["0.*", up_to("1.4")])],
        detection=detection,
    )
    upcaster = made.upcaster()

    def brought(version: str) -> str:
        event = Event(f'{{"v":"{version}"}}'.encode())
        outcome = upcaster.upcast(event)
        assert outcome == upcaster.reference.upcast(event)
        return outcome.value.decode() if isinstance(outcome, Upcast) else type(outcome).__name__

    assert brought("0.beta") == '{"v":"2","old":true}'
    assert brought("1.4") == brought("1.3.9") == brought("v1") == '{"v":"2"}'
    assert brought("1.5") == "DeadLettered"
    assert brought("2") == "Passed"
    assert history(made)[0].marks == ("baseline", "also 0.*", "also up to 1.4")
    with pytest.raises(StepError):
        up_to("latest")
    with pytest.raises(StepError):
        Baseline("t", "1", also="0.*")


def test_what_cannot_be_read_names_no_version() -> None:
    upcaster = chain(FromField("v"), DEFAULT).upcaster()
    assert upcaster.names_version(Event(b'{"v":1}'))
    assert not upcaster.names_version(Event(b"{}"))
    assert not upcaster.names_version(Event(b"{"))
    assert not upcaster.names_version(Event(b'{"v":[]}'))


def test_a_type_that_the_chain_lacks_has_no_shape() -> None:
    chain = Chain([Step("t", 1, 2, [rename("a", "b")], shape=present("b"))], [Baseline("t", 1, shape=anything())])
    assert chain.upcaster()._flow.detector.shape_of("nobody", {}) is None
