"""The golden pair of a step that changes nothing yet: an event that the model or schema of its version takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from upcast_authoring.errors import CommandError
from upcasters import Chain, ChainError, Event, Passed, Policy
from upcasters.checks.avro_shape import json_schema_of
from upcasters.detection import Detection, FromShape
from upcasters.document import plain, read, write
from upcasters.errors import EventError
from upcasters.testing.golden import Golden, goldens
from upcasters.testing.law import LawBroken
from upcasters.testing.routes import headers_of, pinned, rules_of, stamp

_NONE = "no example was found that fits the model and shape of {} {}; write one, or give that version a shape"


def golden_pair(chain: Chain, node: tuple[str, str], target: str, root: Path) -> tuple[Mapping[str, str], list[str]]:
    """The files of a golden pair for a step that changes nothing yet, and what is left to say about it."""
    rules = rules_of(chain)
    before = _example(chain, node, root)
    notes = [] if before is not None else [f"note: {_NONE.format(*node)}"]
    document = plain(read(before or b"{}"))
    if rules is not None:
        stamp(rules, *node, document)
    pair = {".before.json": _text(document)}
    if rules is not None:
        stamp(rules, node[0], target, document)
        headers = headers_of(rules, *node)
        if headers and any(isinstance(rule, FromShape) for rule in rules.version):
            pair[".headers.json"] = _text({name: (value or b"").decode() for name, value in headers})
    pair[".after.json"] = _text(document)
    return pair, notes


def _example(chain: Chain, node: tuple[str, str], root: Path) -> bytes | None:
    """An event of a version that its model takes: out of the golden pairs, else made from the model or schema."""
    try:
        pairs = goldens(chain, root)
    except LawBroken as error:
        raise CommandError(str(error), code="UPC2112") from error
    afters = [pair.stem.with_name(pair.stem.name + ".after.json") for pair in pairs if _ends_at(pair, node)]
    candidates = [file.read_bytes().strip() for file in afters if file.exists()]
    candidates += [pair.before for pair in pairs if (pair.event_type, pair.source) == node]
    model, beside = chain.versions[node].model, chain.versions[node].schema
    if model is not None:
        schema: Mapping[str, Any] = model.model_json_schema()
        candidates.append(write(_made(schema, schema.get("$defs", {}))))
    elif beside is not None:
        schema = json_schema_of(beside)
        candidates.append(write(_made(schema, schema.get("$defs", {}))))
    return next((value for value in candidates if _is_of(chain, node, value)), None)


def _ends_at(pair: Golden, node: tuple[str, str]) -> bool:
    return (pair.event_type, pair.target) == node


def _is_of(chain: Chain, node: tuple[str, str], value: bytes) -> bool:
    rules = rules_of(chain)
    headers = headers_of(rules, *node) if rules is not None else []
    try:
        document = plain(read(value))
        if rules is not None:
            stamp(rules, *node, document)
        detection = Detection() if rules is not None else pinned(chain, *node)
        outcome = chain.upcaster(Policy(detection, dict([node]))).upcast(Event(write(document), None, headers))
    except (EventError, ChainError):
        return False
    return isinstance(outcome, Passed) and outcome.passage.from_version == node[1]


def _made(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """The smallest document that a JSON Schema seems to ask for."""
    if "$ref" in schema:
        return _made(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for listed in ("examples", "enum"):
        if schema.get(listed):
            return schema[listed][0]
    if "const" in schema:
        return schema["const"]
    for choices in ("anyOf", "oneOf", "allOf"):
        if schema.get(choices):  # one that refers to another may lead back to where it stands
            chosen = next((each for each in schema[choices] if "$ref" not in each), schema[choices][0])
            return _made(chosen, definitions)
    if schema.get("type") == "object":
        required = schema.get("required", ())
        return {name: _made(schema["properties"][name], definitions) for name in required}
    return _SMALLEST.get(schema.get("type", "null"))


_SMALLEST: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "array": []}


def _text(document: Any) -> str:
    return write(document).decode() + "\n"
