"""Any chain over Avro gives what it gives over the same documents in JSON."""

from __future__ import annotations

import io
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import fastavro
from hypothesis import given, settings

from tests.unit.upcasters.generated import SOURCE, Made, any_operation, made
from upcasters import DeadLettered, Event, Outcome, Policy, Skipped
from upcasters.document import from_plain, same
from upcasters.formats import BARE_JSON, Encoding, Schema
from upcasters.schema_upcaster import SchemaUpcaster

EXAMPLES = 250
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class UnfitError(Exception):
    """A document that Avro cannot hold, or that JSON can write in several ways."""


def schema_of(value: Any, numbers: Iterator[int]) -> Any:
    """An Avro schema of one JSON value: objects are records where their keys are names, else maps."""
    if isinstance(value, dict) and all(map(_NAME.fullmatch, value)):
        fields = [{"name": key, "type": schema_of(inside, numbers)} for key, inside in value.items()]
        return {"type": "record", "name": f"R{next(numbers)}", "fields": fields}
    if isinstance(value, dict):
        return {"type": "map", "values": _all(value.values(), numbers)}
    if isinstance(value, list):
        return {"type": "array", "items": _all(value, numbers)}
    if isinstance(value, float) and (not math.isfinite(value) or "e" in repr(value)):
        raise UnfitError
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise UnfitError
    if isinstance(value, str) and not value.isprintable():
        raise UnfitError
    return {type(None): "null", bool: "boolean", int: "long", float: "double", str: "string"}[type(value)]


def _all(values: Iterable[Any], numbers: Iterator[int]) -> Any:
    """One type for several values, each as a branch."""
    found: list[Any] = []
    for value in values:
        one = schema_of(value, numbers)
        if isinstance(one, dict) or one not in found:
            found.append(one)
    kinds = [one["type"] if isinstance(one, dict) else one for one in found]
    kinds = ["map" if kind == "record" else kind for kind in kinds]
    if any(kinds.count(kind) > 1 for kind in kinds):
        raise UnfitError  # fastavro would have to guess which one is meant
    return found or "null"


def as_avro(event: Event) -> tuple[Event, Event, Encoding]:
    """An event in JSON as Python writes it, and the same in Avro."""
    try:
        document = json.loads(event.value or b"")
    except ValueError:
        raise UnfitError from None
    if not isinstance(document, dict):
        raise UnfitError
    text = schema_of(document, itertools.count())
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(text), document)
    rest = (event.key, event.headers, event.timestamp, event.offset)
    plain = Event(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), *rest)
    return plain, Event(out.getvalue(), *rest), Encoding(Schema("avro", json.dumps(text)))


def shown(outcome: Outcome, event: Event) -> Any:
    """What is to be the same."""
    if isinstance(outcome, DeadLettered):
        fault = outcome.fault
        return fault.error_type, fault.event_type, fault.from_version, fault.to_version, fault.step
    if isinstance(outcome, Skipped):
        return outcome
    return [
        (json.loads(one.value or b"null", parse_int=Decimal), one.key, list(one.headers))
        for one in outcome.output(event)
    ]


def test_a_chain_does_to_avro_what_it_does_to_json() -> None:
    seen = {"documents": 0, "upcast": 0}

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(made(any_operation))
    def check(case: Made) -> None:
        chain, policy = case.chain, Policy(validate_target="never", readers=[])
        plain, by_schema = (
            chain.upcaster(policy),
            SchemaUpcaster(chain, policy, dict.fromkeys(chain.versions, BARE_JSON)),
        )
        for event in case.events:
            try:
                document, avro, encoding = as_avro(event)
            except UnfitError:
                continue
            expected, found = plain.upcast(document, SOURCE), by_schema.upcast(avro, SOURCE, encoding)
            seen["documents"] += 1
            seen["upcast"] += not isinstance(found, DeadLettered)
            compare(shown(expected, document), shown(found, avro))
            assert by_schema.trace(avro, SOURCE, encoding).outcome == found

    check()
    assert seen["upcast"] > EXAMPLES / 4


def compare(one: Any, other: Any) -> None:
    """Numbers are the same by all of their digits, however they are written."""
    if not (isinstance(one, list) and isinstance(other, list)):
        assert one == other
        return
    assert [rest for _, *rest in one] == [rest for _, *rest in other]
    assert all(same(from_plain(a), from_plain(b)) for (a, *_), (b, *_) in zip(one, other, strict=True))
