"""JSON behind a frame, in and out: what is behind the frame takes the way that bare JSON takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from upcasters.detection import Always, Detection
from upcasters.errors import DecodeError
from upcasters.event import Event, Header, Partition, Record, SourceRecord
from upcasters.formats import Encoding
from upcasters.outcome import Outcome, Passage, Passed, Upcast, Violation
from upcasters.policy import Policy
from upcasters.step import VersionKey
from upcasters.upcaster import Upcaster

if TYPE_CHECKING:
    from upcasters.version_graph import VersionGraph

TargetOf = Callable[[Passage], Encoding | None]
"""How what took a way is to be written; None for what the chain does not know, which stays as it is."""


def of_version(policy: Policy, settled: VersionKey | None) -> Policy:
    """The policy for events whose schema tells their type and version."""
    if settled is None:
        return policy
    return replace(policy, detection=Detection((Always(settled[0]),), (Always(settled[1]),)))


class FramedJson:
    """An upcaster for one encoding of JSON, all of whose events become JSON again, one of one."""

    def __init__(
        self,
        chain: VersionGraph,
        policy: Policy,
        observe: Callable[[Violation], None] | None,
        encoding: Encoding,
        target_of: TargetOf,
    ) -> None:
        self._upcaster = Upcaster(chain, policy, observe)
        self._encoding = encoding
        self._target_of = target_of

    def __call__(self, record: SourceRecord, source: Partition | None) -> Outcome:
        """What becomes of one event. Raises DecodeError where its frame is not there."""
        frame = self._encoding.frame
        value = record.value
        if value is None or not value.startswith(frame):
            raise DecodeError("the value does not begin with the frame of its schema")
        bare = Event(value[len(frame) :], record.key, record.headers, record.timestamp, record.offset)
        outcome = self._upcaster.upcast(bare, source)
        if not isinstance(outcome, (Upcast, Passed)):
            return outcome
        target = self._target_of(outcome.passage)
        if target is None or (isinstance(outcome, Passed) and self._encoding.is_as(target)):
            return outcome
        records = tuple(self._framed(one, target) for one in outcome.output(bare))
        only = records[0]
        if len(records) == 1 and only.key == record.key and list(only.headers) == list(record.headers):
            return Upcast(outcome.passage, only.value)
        return Upcast(outcome.passage, None, records)

    def _framed(self, made: Record, target: Encoding) -> Record:
        return Record(target.frame + (made.value or b""), made.key, relabelled(made.headers, self._encoding, target))


def relabelled(headers: Sequence[Header], came: Encoding, target: Encoding) -> Sequence[Header]:
    """Headers of which those that name a schema name that of the target: a copied one would name the old schema."""
    if not (target.headers or came.headers):
        return headers
    named = {name for name, _ in (*target.headers, *came.headers)}
    return [*(pair for pair in headers if pair[0] not in named), *target.headers]
