"""What a caller may pass as an event, and what is told of what is none: never a fault of the chain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    DeadLettered,
    Detection,
    Event,
    FromHeader,
    FromShape,
    Policy,
    SourcePartition,
    Step,
    StepError,
    Upcast,
    present,
    rename,
)
from upcasters.detection import FromCloudEvents

CHAIN = Chain(
    [Step("order", "1", "2", [rename("a", "b")], shape=present("b"))],
    [Baseline("order", "1", shape=present("a"))],
    detection=Detection((Always("order"),), (FromHeader("version"), FromShape())),
)
UPCASTER = CHAIN.upcaster()
FORMS: dict[str, Any] = {
    "confluent-kafka, no headers": None,
    "confluent-kafka": [("version", b"1"), ("empty", None)],
    "aiokafka": (("version", b"1"),),
    "a dict of texts": {"version": "1"},
    "a dict of bytes": {"version": b"1"},
    "lists": [["version", "1"]],
    "names as bytes": [(b"version", b"1")],
    "one after the other": iter([("version", "1")]),
}


@pytest.mark.parametrize("name", FORMS)
def test_headers_are_taken_as_clients_hand_them_out(name: str) -> None:
    event = Event(b'{"a":1}', headers=FORMS[name])
    assert all(type(key) is str and type(value) in (bytes, type(None)) for key, value in event.headers)
    outcome = UPCASTER.upcast(event)
    assert isinstance(outcome, Upcast)
    assert outcome == UPCASTER.reference.upcast(event)
    if FORMS[name] is not None:
        assert ("version", b"2") in outcome.output(event)[0].headers


def test_headers_that_are_right_stay_the_same_object() -> None:
    headers = [("version", b"1")]
    assert Event(b"{}", headers=headers).headers is headers


class Message:
    """As confluent-kafka's: all that it has is a method."""

    def value(self) -> bytes:
        return b'{"a":1}'

    key = headers = timestamp = offset = value


def record(**parts: Any) -> Any:
    return SimpleNamespace(**{"value": b'{"a":1}', "key": None, "headers": (), "timestamp": 1, "offset": 1, **parts})


NO_EVENTS: dict[str, tuple[Any, str]] = {
    "bytes": (b'{"a":1}', "bytes is no event: pass Event"),
    "a text": ('{"a":1}', "a str is no event: pass Event"),
    "a dict": ({"a": 1}, "a dict is no event: pass Event"),
    "nothing": (None, "None is no event: pass Event"),
    "methods": (Message(), "value is a function: call it"),
    "no offset": (SimpleNamespace(value=b"{}", key=None, headers=(), timestamp=None), "has no offset: pass Event"),
    "a document": (record(value={"a": 1}), "value is a dict: pass JSON as bytes"),
    "a text as key": (record(key="k", value=b"?"), "key is a str: pass bytes"),
}


@pytest.mark.parametrize("name", NO_EVENTS)
def test_what_is_no_event_is_its_callers_mistake(name: str) -> None:
    given, message = NO_EVENTS[name]
    for take in (UPCASTER.upcast, UPCASTER.trace):
        with pytest.raises(TypeError, match=message):
            take(given)


def test_a_record_without_headers_of_another_client_is_taken() -> None:
    assert isinstance(UPCASTER.upcast(record(headers=None)), Upcast)
    assert isinstance(UPCASTER.upcast(record(headers={"version": "1"})), Upcast)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a text": ({"value": "{}"}, "value is a str: pass bytes, such as text.encode()"),
    "a document": ({"value": {}}, r"a dict: pass JSON as bytes, such as json.dumps\(document\).encode\(\)"),
    "a bytearray": ({"value": bytearray(b"{}")}, r"value is a bytearray: pass bytes\(value\)"),
    "a method": ({"value": Message().value}, r"call it, as in Event\(message.value\(\)"),
    "a text as key": ({"key": "k"}, "key is a str: pass bytes"),
    "a number as key": ({"key": 7}, "key is an int: pass bytes"),
    "headers as key": ({"key": [("v", b"1")]}, "headers are given by name"),
    "a text as headers": ({"headers": "v"}, "headers are a str: pass .name, value. pairs, a dict, or None"),
    "a number as headers": ({"headers": 7}, "headers are an int"),
    "no pairs": ({"headers": ["v=1"]}, "a header is a str, and no pair"),
    "three": ({"headers": [("v", b"1", 1)]}, "a header is a tuple, and no pair"),
    "a number as a header's value": ({"headers": {"v": 1}}, "a header's value is an int: pass bytes, a str, or None"),
    "a number as a header's name": ({"headers": {1: b""}}, "a header's name is an int: pass a str"),
    "confluent-kafka's timestamp": ({"timestamp": (1, 2)}, r"a tuple: pass milliseconds .* message.timestamp\(\)\[1\]"),
    "seconds": ({"timestamp": 1.5}, "timestamp is a float: pass milliseconds"),
    "a method as timestamp": ({"timestamp": Message().value}, "timestamp is a function: call it"),
    "a text as offset": ({"offset": "1"}, "offset is a str: pass an int, or None"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_event_of_other_types_is_refused_where_it_is_made(name: str) -> None:
    parts, message = WRONG[name]
    with pytest.raises(TypeError, match=message):
        Event(**{"value": b"{}", **parts})


def test_a_headers_name_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ValueError, match="name is not UTF-8"):
        Event(b"{}", headers=[(b"\xff", b"")])


def test_bytes_of_a_class_of_ones_own_are_bytes() -> None:
    class Own(bytes):
        pass

    assert isinstance(UPCASTER.upcast(Event(Own(b'{"a":1}'))), Upcast)


def test_where_a_record_stands_is_a_topic_and_a_partition() -> None:
    given: Any = "orders"
    with pytest.raises(TypeError, match=r"source is a str: pass SourcePartition\(topic, partition\)"):
        UPCASTER.upcast(Event(b"?"), given)
    assert isinstance(UPCASTER.upcast(Event(b"?"), SourcePartition("orders", 0)), DeadLettered)


def test_the_older_document_is_bytes() -> None:
    down, anything = CHAIN.upcaster(Policy(target={"order": "1"})), Event(b'{"b":1}')
    for older, message in (({}, "value is a dict"), (None, "older is None")):
        wrong: Any = older
        with pytest.raises(TypeError, match=message):
            down.downcast_into(anything, wrong)


POLICIES: dict[str, tuple[dict[str, Any], str]] = {
    "a text as target": ({"target": "1"}, "target is a str: pass a dict of type to version"),
    "a rule as detection": ({"detection": FromHeader("v")}, r"detection is a FromHeader: pass Detection\(version"),
    "words": ({"allow_loss": "no"}, "allow_loss is a str: pass True or False"),
    "a share": ({"sample_every": 0.01}, "sample_every is a float: pass an int"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_of_other_types_is_refused_where_it_is_made(name: str) -> None:
    options, message = POLICIES[name]
    with pytest.raises(TypeError, match=message):
        Policy(**options)


def test_versions_of_a_target_may_be_numbers() -> None:
    target: Any = {"order": 1}
    assert Policy(target=target).target == {"order": "1"}


def test_an_upcaster_takes_a_policy_and_a_function() -> None:
    policy: Any = {"order": "1"}
    with pytest.raises(TypeError, match="the policy is a dict: pass a Policy"):
        CHAIN.upcaster(policy)
    observe: Any = "log"
    with pytest.raises(TypeError, match="observe is a str: pass a function"):
        CHAIN.upcaster(observe=observe)


@pytest.mark.parametrize("rule", [FromHeader, FromCloudEvents])
def test_a_rules_name_is_a_text(rule: Any) -> None:
    with pytest.raises(StepError, match="Give a str"):
        rule(b"version")
