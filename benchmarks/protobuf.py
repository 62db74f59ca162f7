"""`make bench WHAT=protobuf`: Protobuf events through a chain, beside google's protobuf (upb) and the change by hand.

By hand is: parse, make the message of the new version out of the old one's parts, serialise. The codec alone reads the
paths that the chain touches, copies the rest and writes; upb parses and serialises all of it.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson
from google.protobuf import message_factory

from benchmarks.chain import document
from benchmarks.timing import measure
from upcasters import Event, Policy, load_chain
from upcasters.formats import Encoding, Schema
from upcasters.formats.protobuf import ProtobufFormat
from upcasters.formats.protobuf.compiling import compiled
from upcasters.outcome import Upcast
from upcasters.schema_upcaster import SchemaUpcaster

TEXT = """
syntax = "proto3";
message Metadata {{ {metadata} }}
message Node {{ string status = 1; int32 attempt = 2; }}
message Exit {{ int32 code = 1; }}
message Past {{
  string status = 1; int32 attempt = 2; int64 duration_ms = 3; bool ok = 4; Exit exit = 5;
  repeated string artifacts = 6;
}}
message TaskContext {{
  Metadata metadata = 1; map<string, Node> nodes = 2; int32 priority = 3; string owner = 4; repeated string tags = 5;
  repeated Past history = 6;
}}
"""
OLD = Schema(
    "protobuf",
    TEXT.format(
        metadata="string taskId = 1; string projectId = 2; optional string branch = 3; optional string repoPath = 4;"
    ),
    (),
    "TaskContext",
)
NEW = Schema(
    "protobuf",
    TEXT.format(metadata="string task_id = 1; string project_id = 2; string branch = 3; string repo_path = 4;"),
    (),
    "TaskContext",
)
BOUNDS = {"chain 350": 5.0, "chain 7k": 5.0}


def message(schema: Schema) -> Any:
    """The class that upb has for a schema's message."""
    return message_factory.GetMessageClass(compiled(schema).pool.FindMessageTypeByName(schema.message))


_OLD, _NEW = message(OLD), message(NEW)


def by_hand(value: bytes) -> bytes:
    """The change as one would write it with generated modules."""
    old = _OLD.FromString(value)
    new = _NEW(priority=old.priority, owner=old.owner, tags=old.tags)
    came, made = old.metadata, new.metadata
    made.task_id = came.taskId
    made.project_id = came.projectId
    made.branch = came.branch if came.HasField("branch") else "main"
    made.repo_path = came.repoPath if came.HasField("repoPath") else "/workspace/repos/" + came.projectId
    for name, node in old.nodes.items():
        new.nodes[name].MergeFromString(node.SerializeToString())
    if "prep" not in old.nodes:
        completed = "select" in old.nodes and old.nodes["select"].status == "completed"
        new.nodes["prep"].status = "running" if completed else "pending"
    for past in old.history:
        new.history.add().MergeFromString(past.SerializeToString())
    return bytes(new.SerializeToString())


def parse_and_serialise(value: bytes) -> bytes:
    """All of the value, by upb."""
    return bytes(_OLD.FromString(value).SerializeToString())


def main() -> int:
    chain = load_chain("upcasters.devteam_runner:chain")
    policy = Policy(target={"task_context": "2.0"}, validate_source="never")
    node = ("task_context", "1.1")
    source = Encoding(OLD, version=node)
    upcaster = SchemaUpcaster(chain, policy, {("task_context", "2.0"): Encoding(NEW)}, {node: OLD})
    read, write = ProtobufFormat().reader(OLD), ProtobufFormat().writer(OLD)
    actions: dict[str, Any] = {}
    for name, extra in (("350", 70), ("7k", 6_720)):
        body = document(extra)
        size = len(orjson.dumps(body))
        value = _OLD(**body).SerializeToString(deterministic=True)
        event = Event(value)
        made = upcaster.upcast(event, None, source)
        assert isinstance(made, Upcast), made
        assert _NEW.FromString(made.value) == _NEW.FromString(by_hand(value))
        assert write(read(value)) == value
        print(f"{name}: {size} B of JSON, {len(value)} B of Protobuf")
        actions |= {
            f"codec {name}": lambda value=value: write(read(value)),
            f"upb {name}": lambda value=value: parse_and_serialise(value),
            f"chain {name}": lambda event=event: upcaster.upcast(event, None, source),
            f"hand {name}": lambda value=value: by_hand(value),
        }
    times = measure(actions)
    missed = False
    for name in actions:
        if name.startswith(("upb", "hand")):
            continue
        against = name.replace("codec", "upb").replace("chain", "hand")
        ratio, bound = times[name] / times[against], BOUNDS.get(name)
        missed = missed or (bound is not None and ratio > bound)
        asked = f" (at most {bound})" if bound else ""
        print(f"{name:12} {times[name]:8.1f} us  {against:12} {times[against]:8.1f} us  {ratio:.2f}{asked}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
