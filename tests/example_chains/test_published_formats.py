"""Formats that others publish: each history upwards, downwards where there is a way, and under hostile bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.example_chains.published_formats import (
    BOMS,
    COMPOSE,
    INGRESS,
    INVOICES,
    OBSERVATIONS,
    OPENAPI,
    TRANSIT,
)
from upcasters import Chain, DeadLettered, Event, Policy, SourcePartition, Upcast, Upcaster
from upcasters.checks import model_problems
from upcasters.event import Header
from upcasters.operations.choice import walk
from upcasters.operations.scopes import Everywhere

SOURCE = SourcePartition("published", 0)
CANARY = "c4n4ry"


@dataclass(frozen=True)
class History:
    """An event of the oldest version and what comes out; ``down`` names where the way back leads, if there is one."""

    chain: Chain
    before: str
    after: Sequence[str]
    down: dict[str, str] = field(default_factory=dict)
    headers: Sequence[Header] = ()


HISTORIES = {
    "ingress": History(
        INGRESS,
        '{"apiVersion":"extensions/v1beta1","kind":"Ingress","metadata":{"name":"a","annotations":'
        '{"kubernetes.io/ingress.class":"nginx","x.y/z": "1"}},"spec":{"backend":{"serviceName":"d","servicePort":80},'
        '"rules":[{"host":"*.a","http":{"paths":[{"path":"/","backend":{"serviceName":"s","servicePort":"http"}}]}},'
        '{"host":"b"},{"http":null}]}}',
        [
            (
                '{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"a","annotations":'
                '{"x.y/z":"1"}},"spec":{"defaultBackend":{"service":{"port":{"number":80},"name":"d"}},'
                '"rules":[{"host":"*.a","http":{"paths":[{"path":"/","backend":{"service":{"port":{"name":"http"},"name":"s"}},'
                '"pathType":"ImplementationSpecific"}]}},{"host":"b"},{"http":null}],"ingressClassName":"nginx"}}'
            )
        ],
        {"Ingress": "extensions/v1beta1"},
    ),
    "observation": History(
        OBSERVATIONS,
        '{"resourceType":"Observation","category":{"text":"vital"},"encounter":{"reference":"E/1"},"value":{"n": 1.10},'
        '"comments":"\\u00e9","referenceRange":[{"meaning":{"text":"n"}},{"low":1e400}],'
        '"related":[{"type":"has-member","target":{"reference":"a"}},{"type":"derived-from","target":{"n":1.10}}]}',
        [
            (
                '{"resourceType":"Observation","category":[{"text":"vital"}],"encounter":{"reference":"E/1"},'
                '"value":{"n": 1.10},"note":[{"text":"\\u00e9"}],"referenceRange":[{"type":{"text":"n"}},'
                '{"low":1e400}],"derivedFrom":[{"n":1.10}],"hasMember":[{"reference":"a"}]}'
            )
        ],
        {"Observation": "1.0"},
        [("content-type", b"application/fhir+json; fhirVersion=1.0")],
    ),
    "openapi": History(
        OPENAPI,
        '{"swagger":"2.0","paths":{"/a/{id}":{"$ref":"#/definitions/A.b"}},"definitions":{"A.b":{"discriminator":"kind",'
        '"properties":{"kind":{"type":"string","x-nullable":true},"n":{"minimum":1.50,"exclusiveMinimum":true},'
        '"m":{"minimum":0,"exclusiveMinimum":false},"kids":{"items":{"$ref":"#/definitions/A.b"}}}},"Ü":{ "x": -0 }}}',
        [
            (
                '{"openapi":"3.1.0","paths":{"/a/{id}":{"$ref":"#/components/schemas/A.b"}},"components":{"schemas":'
                '{"A.b":{"discriminator":{"propertyName":"kind"},"properties":{"kind":{"type":["string","null"]},'
                '"n":{"exclusiveMinimum":1.50},"m":{"minimum":0},"kids":{"items":{"$ref":"#/components/schemas/A.b"}}}},'
                '"Ü":{ "x": -0 }}}}'
            )
        ],
    ),
    "compose": History(
        COMPOSE,
        '{"web":{"net":"host","log_driver":"syslog","mem_limit":512,"environment":["A=b=c","D"]},"db.é":{"x": 1.0}}',
        [
            (
                '{"services":{"web":{"network_mode":"host","environment":{"A":"b=c","D":null},"logging":{"driver":"syslog"},'
                '"deploy":{"resources":{"limits":{"memory":512}}}},"db.é":{"x":1.0}}}'
            )
        ],
    ),
    "bom": History(
        BOMS,
        '{"specVersion":"1.5","components":[{"type":"library","name":"a","author":"x","components":'
        '[{"type":"library","name":"b","author":null},{"type":"file","name":"c","n": 1.10}]}]}',
        [
            (
                '{"specVersion":"1.6","components":[{"type":"library","name":"a","authors":[{"name":"x"}],"components":'
                '[{"type":"library","name":"b","authors":null},{"type":"file","name":"c","n": 1.10}]}]}'
            )
        ],
        {"bom": "1.5"},
    ),
    "transit": History(
        TRANSIT,
        '{"header":{"gtfs_realtime_version":"1.0","timestamp":"1511000000"},"entity":[{"id":"a","trip_update":{"trip":'
        '{"start_date":"20240229","schedule_relationship":"ADDED"}}},{"id":"b","vehicle":{"latitude":1.10}}]}',
        [
            (
                '{"header":{"gtfs_realtime_version":"3.1","timestamp":1511000000},"event_id":"published/0/5/0","id":"a",'
                '"tripUpdate":{"trip":{"startDate":"2024-02-29","scheduleRelationship":"NEW"}}}'
            ),
            (
                '{"header":{"gtfs_realtime_version":"3.1","timestamp":1511000000},"event_id":"published/0/5/1","id":"b",'
                '"vehicle":{"latitude":1.10}}'
            ),
        ],
    ),
    "invoice": History(
        INVOICES,
        '{"api_version":"2018-11-08","data":{"object":{"object":"invoice","date":1,"paid":false,"closed":true,'
        '"forgiven":false,"subscription":"sub_1","total":1E+3}}}',
        [
            (
                '{"api_version":"2025-03-31.basil","data":{"object":{"object":"invoice","created":1,"paid":false,'
                '"auto_advance":false,"total":1E+3,"status":"void",'
                '"parent":{"subscription_details":{"subscription":"sub_1"},"type":"subscription_details"}}}}'
            )
        ],
        {"invoice": "2018-11-08"},
    ),
}
ALL = pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())


def made(upcaster: Upcaster, value: bytes, headers: Sequence[Header]) -> list[str] | DeadLettered:
    """What comes out of an event, the same by both ways."""
    event = Event(value, b"key", headers, 1, 5)
    outcome = upcaster.upcast(event, SOURCE)
    assert outcome == upcaster.reference.upcast(event, SOURCE), value
    if isinstance(outcome, DeadLettered):
        return outcome
    return [(record.value or b"").decode() for record in outcome.output(event)] if isinstance(outcome, Upcast) else []


@ALL
def test_upwards(history: History) -> None:
    assert model_problems(history.chain) == []
    upcaster = history.chain.upcaster(Policy(validate_source="always"))
    assert made(upcaster, history.before.encode(), history.headers) == history.after


@pytest.mark.parametrize("name", [name for name, history in HISTORIES.items() if history.down])
def test_downwards(name: str) -> None:
    history = HISTORIES[name]
    headers = [(key, value.replace(b"1.0", b"4.0")) for key, value in history.headers if value]
    policy = Policy(target=history.down, allow_loss=True)
    back = made(history.chain.upcaster(policy), history.after[0].encode(), headers)
    assert not isinstance(back, DeadLettered), back
    assert [json.loads(text) for text in back] == [json.loads(history.before)]


def down_to(chain: Chain, target: dict[str, str], newer: str, headers: Sequence[Header] = ()) -> Any:
    back = made(chain.upcaster(Policy(target=target, allow_loss=True)), newer.encode(), headers)
    assert not isinstance(back, DeadLettered), back
    return json.loads(back[0])


OBSERVATION = {
    "resourceType": "Observation",
    "encounter": {"reference": "E/1"},
    "interpretation": [{"text": "high"}, {"text": "critical"}],
    "note": [{"text": "first", "time": "2024-01-01"}, {"text": "second"}],
    "referenceRange": [{"type": {"text": "normal"}, "appliesTo": [{"text": "adults"}], "low": {"value": 1}}],
    "hasMember": [{"reference": "O/1"}, {"reference": "O/2"}],
    "derivedFrom": [{"reference": "O/3"}],
}
THIRD = {
    "resourceType": "Observation",
    "context": {"reference": "E/1"},
    "interpretation": {"text": "high"},
    "comment": "first",
    "referenceRange": OBSERVATION["referenceRange"],
    "related": [
        {"type": "has-member", "target": {"reference": "O/1"}},
        {"type": "has-member", "target": {"reference": "O/2"}},
        {"type": "derived-from", "target": {"reference": "O/3"}},
    ],
}
FIRST = {
    **{key: value for key, value in THIRD.items() if key not in ("context", "comment")},
    "encounter": {"reference": "E/1"},
    "comments": "first",
    "referenceRange": [{"meaning": {"text": "normal"}, "low": {"value": 1}}],
}


@pytest.mark.parametrize(("version", "older"), [("3.0", THIRD), ("1.0", FIRST)])
def test_an_observation_goes_down_as_the_convertors_of_its_format_bring_it_down(
    version: str, older: dict[str, Any]
) -> None:
    """As HL7's convertors from R4 to STU3, and on to DSTU2: of notes and interpretations the first is left."""
    headers = [("content-type", b"application/fhir+json; fhirVersion=4.0")]
    assert down_to(OBSERVATIONS, {"Observation": version}, json.dumps(OBSERVATION), headers) == older


def test_relations_that_newer_observations_do_not_have_are_left_out() -> None:
    """As the same convertors do on the way up; beside the older document they come back."""
    headers = [("content-type", b"application/fhir+json; fhirVersion=3.0")]
    kinds = ["replaces", "has-member", "derived-from", "has-member"]
    related = [{"type": kind, "target": {"reference": str(place)}} for place, kind in enumerate(kinds)]
    older = Event(json.dumps({"resourceType": "Observation", "related": related}).encode(), headers=headers)
    newer = OBSERVATIONS.upcaster().upcast(older)
    assert isinstance(newer, Upcast)
    record = newer.output(older)[0]
    assert json.loads(record.value or b"") == {
        "resourceType": "Observation",
        "hasMember": [{"reference": "1"}, {"reference": "3"}],
        "derivedFrom": [{"reference": "2"}],
    }
    down = OBSERVATIONS.upcaster(Policy(target={"Observation": "3.0"}, allow_loss=True))
    back = down.downcast_into(Event(record.value, headers=record.headers), older.value or b"")
    assert isinstance(back, Upcast)
    assert json.loads(back.value)["related"] == related


def test_an_ingress_goes_down_as_kubernetes_serves_it_to_older_clients() -> None:
    """As the conversion functions of its API: one backend has a number as its port, and the other one a name."""
    newer = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "a"},
        "spec": {
            "defaultBackend": {"service": {"name": "d", "port": {"number": 80}}},
            "rules": [
                {
                    "host": "a",
                    "http": {
                        "paths": [
                            {
                                "path": "/x",
                                "pathType": "Exact",
                                "backend": {"service": {"name": "s", "port": {"name": "http"}}},
                            }
                        ]
                    },
                }
            ],
        },
    }
    path = {"path": "/x", "pathType": "Exact", "backend": {"serviceName": "s", "servicePort": "http"}}
    older = {
        "apiVersion": "networking.k8s.io/v1beta1",
        "kind": "Ingress",
        "metadata": {"name": "a"},
        "spec": {
            "backend": {"serviceName": "d", "servicePort": 80},
            "rules": [{"host": "a", "http": {"paths": [path]}}],
        },
    }
    assert down_to(INGRESS, {"Ingress": "networking.k8s.io/v1beta1"}, json.dumps(newer)) == older


WRONG = (
    "null",
    "true",
    "-0",
    "1e400",
    f'"{CANARY}"',
    "[]",
    "{}",
    "[null]",
    f'{{"{CANARY}":1}}',
    "NaN",
    '"\\ud800"',
    "01",
)
KEYS = ("a.b", "*", "$ref", "__proto__", "", CANARY)


def hostile(text: str) -> Iterator[str]:
    """The document with another value at each place, each key twice, each field left out, and keys like paths."""
    document = json.loads(text)
    for container, key in list(_places(document)):
        before = container[key]
        for value in WRONG:
            container[key] = _Written(value)
            yield _text(document)
        if isinstance(container, dict):
            container[key] = _Written(f"null,{json.dumps(key)}:{_text(before)}")
            yield _text(document)
            container[key] = _Written(f"{_text(before)},{json.dumps(key)}:[]")
            yield _text(document)
        container[key] = before
        for name in KEYS if isinstance(before, dict) else ():
            if name not in before:
                container[key] = {**before, name: 1}
                yield _text(document)
        container[key] = before
    for length in range(0, len(text), 7):
        yield text[:length]


@dataclass(frozen=True)
class _Written:
    text: str


def _text(node: Any) -> str:
    if isinstance(node, _Written):
        return node.text
    if isinstance(node, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_text(child)}" for key, child in node.items()) + "}"
    return "[" + ",".join(map(_text, node)) + "]" if isinstance(node, list) else json.dumps(node)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    pairs = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for key, child in pairs:
        yield node, key
        yield from _places(child)


@ALL
def test_hostile_values_at_each_place(history: History) -> None:
    """Both ways come to the same, what comes out is JSON, and what does not names no value."""
    upcaster = history.chain.upcaster()
    outcomes = [made(upcaster, value.encode(), history.headers) for value in hostile(history.before)]
    letters = [outcome.fault for outcome in outcomes if isinstance(outcome, DeadLettered)]
    assert len(letters) > len(outcomes) / 4
    assert not any(CANARY in fault.message + fault.path for fault in letters)
    for outcome in outcomes:
        for text in () if isinstance(outcome, DeadLettered) else outcome:
            json.loads(text)


PREFIXES = (b"\xef\xbb\xbf", b"\xff\xfe", b"\x00")
INSERTED = (b"\xc0\xaf", b"\xed\xa0\x80", b"\xff", b"\xf4\x90\x80\x80", b"\x00")


@ALL
def test_bytes_that_are_no_text(history: History) -> None:
    value = history.before.encode()
    broken = [prefix + value for prefix in PREFIXES]
    broken += [value[:place] + wrong + value[place:] for place in range(1, len(value), 40) for wrong in INSERTED]
    for one in broken:
        outcome = made(history.chain.upcaster(), one, history.headers)
        assert isinstance(outcome, DeadLettered)
        assert outcome.fault.stage == "decode"


@ALL
def test_what_no_step_knows_comes_out_as_it_was(history: History) -> None:
    if history.chain is COMPOSE:
        return  # its steps know all of it
    rest = '{"a" : 1.10,"b":[ -0, 1E+5,1e400 ],"\\u00e9":"\\u00e9\\/","c":12345678901234567890123}'
    if not any(isinstance(each, Everywhere) for step in history.chain.steps for each in walk(step.operations)):
        rest = rest.replace('"c":', '"c":1,"c":')  # nobody opens it
    value = history.before[:-1] + f',"rest":{rest}}}'
    outcome = made(history.chain.upcaster(), value.encode(), history.headers)
    assert not isinstance(outcome, DeadLettered)
    assert outcome
    assert all(rest in text for text in outcome)
