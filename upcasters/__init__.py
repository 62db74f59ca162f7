"""Versioned upcasters: write steps, check the chain they make, run it over bytes. All that is public is here.

Pure: no I/O, no clock, no Kafka. ``docs/upcasters.md`` is the guide.
"""

from upcasters.chain import Chain
from upcasters.conditions import (
    Condition,
    absent,
    any_present,
    anything,
    between,
    equals,
    has_type,
    is_null_at,
    length,
    matches,
    one_of,
    present,
    starts_with,
    value_at,
)
from upcasters.detection import (
    Always,
    Detection,
    FromCloudEvents,
    FromField,
    FromHeader,
    FromShape,
    up_to,
)
from upcasters.errors import ChainError, EventError, Problem, StepError
from upcasters.event import Event, Record, SourcePartition, SourceRecord
from upcasters.loading import chain_from_package, load_chain
from upcasters.operations.base import Operation, Reversibility
from upcasters.operations.choice import downgrade, switch, when
from upcasters.operations.events import (
    drop_event,
    drop_header,
    field_to_header,
    header_to_field,
    rename_header,
    rename_type,
    set_header,
    set_key,
    split_each,
    split_event,
    tombstone,
)
from upcasters.operations.fields import drop, first_of, move, rename, rename_many
from upcasters.operations.filling import add, assign, copy, default
from upcasters.operations.keys import CAMEL_CASE, LOWER_CASE, SNAKE_CASE, key_pattern, rename_keys
from upcasters.operations.lists import fields_to_list, flatten, list_to_fields, move_items, number, unwrap, wrap
from upcasters.operations.nesting import keep_only, nest, unnest
from upcasters.operations.numbers import scale
from upcasters.operations.objects import from_object, list_to_object, object_to_list, to_object
from upcasters.operations.presence import must_exist, optional
from upcasters.operations.scopes import at, everywhere, subdocument
from upcasters.operations.texts import join_list, join_values, reformat, split_list, split_value, template
from upcasters.operations.times import convert_time
from upcasters.operations.values import (
    EVENT_TYPE,
    KEY,
    ORIGIN,
    POSITION,
    TIMESTAMP,
    VERSION,
    convert,
    derive,
    function,
    header,
    map_values,
    parse_json,
    print_json,
)
from upcasters.outcome import DeadLettered, Fault, Outcome, Passage, Passed, Skipped, Upcast, Violation
from upcasters.paths import EACH
from upcasters.policy import Policy
from upcasters.readers import ValueReader, read_with, upcast_envelope
from upcasters.step import Baseline, Step
from upcasters.upcaster import Upcaster
from upcasters.version_graph import Version

__all__ = [
    "CAMEL_CASE",
    "EACH",
    "EVENT_TYPE",
    "KEY",
    "LOWER_CASE",
    "ORIGIN",
    "POSITION",
    "SNAKE_CASE",
    "TIMESTAMP",
    "VERSION",
    "Always",
    "Baseline",
    "Chain",
    "ChainError",
    "Condition",
    "DeadLettered",
    "Detection",
    "Event",
    "EventError",
    "Fault",
    "FromCloudEvents",
    "FromField",
    "FromHeader",
    "FromShape",
    "Operation",
    "Outcome",
    "Passage",
    "Passed",
    "Policy",
    "Problem",
    "Record",
    "Reversibility",
    "Skipped",
    "SourcePartition",
    "SourceRecord",
    "Step",
    "StepError",
    "Upcast",
    "Upcaster",
    "ValueReader",
    "Version",
    "Violation",
    "absent",
    "add",
    "any_present",
    "anything",
    "assign",
    "at",
    "between",
    "chain_from_package",
    "convert",
    "convert_time",
    "copy",
    "default",
    "derive",
    "downgrade",
    "drop",
    "drop_event",
    "drop_header",
    "equals",
    "everywhere",
    "field_to_header",
    "fields_to_list",
    "first_of",
    "flatten",
    "from_object",
    "function",
    "has_type",
    "header",
    "header_to_field",
    "is_null_at",
    "join_list",
    "join_values",
    "keep_only",
    "key_pattern",
    "length",
    "list_to_fields",
    "list_to_object",
    "load_chain",
    "map_values",
    "matches",
    "move",
    "move_items",
    "must_exist",
    "nest",
    "number",
    "object_to_list",
    "one_of",
    "optional",
    "parse_json",
    "present",
    "print_json",
    "read_with",
    "reformat",
    "rename",
    "rename_header",
    "rename_keys",
    "rename_many",
    "rename_type",
    "scale",
    "set_header",
    "set_key",
    "split_each",
    "split_event",
    "split_list",
    "split_value",
    "starts_with",
    "subdocument",
    "switch",
    "template",
    "to_object",
    "tombstone",
    "unnest",
    "unwrap",
    "up_to",
    "upcast_envelope",
    "value_at",
    "when",
    "wrap",
]
