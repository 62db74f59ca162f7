"""`make bench WHAT=avro`: Avro events through a chain, beside fastavro and the same change by hand, as ratios.

The codec alone reads the paths that the chain touches, copies the rest and writes; fastavro reads and writes all of it.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import fastavro
import orjson

from benchmarks.chain import document
from benchmarks.timing import measure
from upcasters import Event, Policy, load_chain
from upcasters.formats import Encoding, Schema
from upcasters.formats.avro import AvroFormat
from upcasters.outcome import Upcast
from upcasters.schema_upcaster import SchemaUpcaster
from upcasters.touched import touched_paths

HISTORY = {
    "type": "record",
    "name": "Past",
    "fields": [
        {"name": "status", "type": "string"},
        {"name": "attempt", "type": "int"},
        {"name": "duration_ms", "type": "long"},
        {"name": "ok", "type": "boolean"},
        {"name": "exit", "type": {"type": "record", "name": "Exit", "fields": [{"name": "code", "type": "int"}]}},
        {"name": "artifacts", "type": {"type": "array", "items": "string"}},
    ],
}


def _schema(metadata: list[Any], node: list[Any]) -> Schema:
    fields = [
        {"name": "metadata", "type": {"type": "record", "name": "Metadata", "fields": metadata}},
        {"name": "nodes", "type": {"type": "map", "values": {"type": "record", "name": "Node", "fields": node}}},
        {"name": "priority", "type": "int"},
        {"name": "owner", "type": "string"},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "history", "type": {"type": "array", "items": HISTORY}, "default": []},
    ]
    return Schema("avro", json.dumps({"type": "record", "name": "TaskContext", "fields": fields}))


_NULLABLE = ["null", "string"]
OLD = _schema(
    [
        {"name": "taskId", "type": "string"},
        {"name": "projectId", "type": "string"},
        {"name": "branch", "type": _NULLABLE, "default": None},
        {"name": "repoPath", "type": _NULLABLE, "default": None},
    ],
    [{"name": "status", "type": "string"}, {"name": "attempt", "type": "int", "default": 0}],
)
NEW = _schema(
    [{"name": name, "type": "string"} for name in ("task_id", "project_id", "branch", "repo_path")],
    [{"name": "status", "type": "string"}, {"name": "attempt", "type": "int", "default": 0}],
)
BOUNDS = {"codec 350": 0.7, "codec 7k": 0.2, "chain 350": 0.9, "chain 7k": 0.25}


def by_hand(value: bytes) -> bytes:
    """The change as one would write it with fastavro."""
    body: Any = fastavro.schemaless_reader(io.BytesIO(value), _OLD, None)
    old = body["metadata"]
    body["metadata"] = {
        "task_id": old["taskId"],
        "project_id": old["projectId"],
        "branch": "main" if old["branch"] is None else old["branch"],
        "repo_path": "/workspace/repos/" + old["projectId"] if old["repoPath"] is None else old["repoPath"],
    }
    nodes = body["nodes"]
    if "prep" not in nodes:
        select = nodes.get("select", {}).get("status")
        nodes["prep"] = {"status": "running" if select == "completed" else "pending", "attempt": 0}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _NEW, body)
    return out.getvalue()


def read_and_write(value: bytes) -> bytes:
    """All of the value, by fastavro."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _OLD, fastavro.schemaless_reader(io.BytesIO(value), _OLD, None))
    return out.getvalue()


_OLD: Any = fastavro.parse_schema(json.loads(OLD.text))
_NEW: Any = fastavro.parse_schema(json.loads(NEW.text))


def main() -> int:
    chain = load_chain("upcasters.devteam_runner:chain")
    policy = Policy(target={"task_context": "2.0"}, validate_source="never")
    node = ("task_context", "1.1")
    source = Encoding(OLD, version=node)
    upcaster = SchemaUpcaster(chain, policy, {("task_context", "2.0"): Encoding(NEW)}, {node: OLD})
    touched = touched_paths(chain.path(node, policy.target))
    read, write = AvroFormat().reader(OLD, touched), AvroFormat().writer(OLD)
    actions: dict[str, Any] = {}
    for name, extra in (("350", 70), ("7k", 6_720)):
        body = document(extra)
        size = len(orjson.dumps(body))
        body["metadata"].setdefault("repoPath", None)
        body.setdefault("history", [])
        out = io.BytesIO()
        fastavro.schemaless_writer(out, _OLD, body)
        value = out.getvalue()
        event = Event(value)
        made = upcaster.upcast(event, None, source)
        assert isinstance(made, Upcast), made
        assert fastavro.schemaless_reader(io.BytesIO(made.value), _NEW, None) == fastavro.schemaless_reader(
            io.BytesIO(by_hand(value)), _NEW, None
        )
        assert write(read(value)) == value
        print(f"{name}: {size} B of JSON, {len(value)} B of Avro")
        actions |= {
            f"codec {name}": lambda value=value: write(read(value)),
            f"fastavro {name}": lambda value=value: read_and_write(value),
            f"chain {name}": lambda event=event: upcaster.upcast(event, None, source),
            f"hand {name}": lambda value=value: by_hand(value),
        }
    times = measure(actions)
    missed = False
    for name, bound in BOUNDS.items():
        against = name.replace("codec", "fastavro").replace("chain", "hand")
        ratio = times[name] / times[against]
        missed = missed or ratio > bound
        print(f"{name:12} {times[name]:8.1f} us  {against:12} {times[against]:8.1f} us  {ratio:.2f} (at most {bound})")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
