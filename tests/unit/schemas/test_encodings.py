"""Schemas of a registry as the engine takes them, however they refer to each other."""

from __future__ import annotations

import json

from upcasters.formats import Schema
from worker.schemas.encodings import engine_schema
from worker.schemas.known import KnownSchema, RawReference

LEVELS = 50


def known(name: str, below: list[str]) -> KnownSchema:
    fields = [{"name": each, "type": each} for each in below]
    text = json.dumps({"type": "record", "name": name, "fields": fields})
    return KnownSchema("AVRO", text, 1, references=tuple(RawReference(each, each, 1) for each in below))


def test_references_that_many_ways_lead_to_are_each_made_once() -> None:
    """Fifty levels of two records that both have fields of the two below."""
    used = {}
    for level in range(LEVELS):
        below = [f"{side}{level + 1}" for side in "ab"] if level + 1 < LEVELS else []
        used.update({f"{side}{level}": known(f"{side}{level}", below) for side in "ab"})
    top = known("top", ["a0", "b0"])
    schema = engine_schema(KnownSchema(top.kind, top.text, 1, references=top.references, used=used))
    found: dict[int, Schema] = {}
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if id(each) not in found:
            found[id(each)] = each
            waiting += [inner for _, inner in each.references]
    assert len(found) == 2 * LEVELS + 1


def test_a_name_that_is_not_there_or_leads_back_is_left_out() -> None:
    round_trip = {"a": known("a", ["b"]), "b": known("b", ["a"])}
    top = known("top", ["a", "gone"])
    schema = engine_schema(KnownSchema(top.kind, top.text, 1, references=top.references, used=round_trip))
    ((name, a),) = schema.references
    ((inner, b),) = a.references
    assert (name, inner, b.references) == ("a", "b", ())
