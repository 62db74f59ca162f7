"""What an error means for a lane: refused content, a missing right, or something that may pass. Also the lane's own
exceptions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType

from aiokafka import TopicPartition, errors
from aiokafka.errors import KafkaError

from upcast_authoring.counted import counted
from upcasters.outcome import Fault, Stage
from worker.errors import NEEDS_A_PERSON, WorkerError
from worker.kafka.codes import InvalidRecordError
from worker.kafka.refusals import hidden_cause, in_words
from worker.kafka.stable_offsets import END_IT
from worker.kafka.tools import kafka_tool

CONTENT_ERRORS = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidTimestampError,
    InvalidRecordError,
)
TIMESTAMP_ERRORS = (errors.InvalidTimestampError,)
DENIED = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
)
"""Errors that last until somebody grants the right."""
FENCED = (errors.ProducerFenced, errors.InvalidProducerEpoch)


class RefusedError(Exception):
    """The broker refused a batch for ``topic``; which of its records is at fault is not known yet."""

    def __init__(self, topic: str, cause: KafkaError) -> None:
        super().__init__(f"{topic} refused a batch: {type(cause).__name__}")
        self.topic = topic
        self.cause = cause


class PoisonError(Exception):
    """Processing the record at ``offset`` raised, which the pure core promises not to do."""

    def __init__(self, offset: int, cause: Exception) -> None:
        super().__init__(f"processing the record at offset {offset} raised {type(cause).__name__}")
        self.offset = offset
        self.cause = cause
        self.fault = Fault(
            "upcast", type(cause).__name__, "processing the record raised an error; see the worker's log"
        )


class GapError(Exception):
    """A fetch did not begin where the one before it ended."""


class OtherLogError(Exception):
    """The source has lost records that were read: it was truncated and has grown again."""

    def __init__(self) -> None:
        super().__init__("the source has lost records that were read, and their offsets now belong to other records")


class WentBackError(Exception):
    """The group's offset is lower than one that this worker has committed. The coordinator answers before it has read
    all of its log (Kafka 4.0 to 4.4, when it is told to load again while it loads), somebody has set the offset back,
    or the source was deleted and created again, which deletes the offset."""

    def __init__(self, known: int, now: int, of: TopicPartition | None = None) -> None:
        """``of`` is another partition than the lane's, where the brokers answer so."""
        where, there = (f" for {of.topic}:{of.partition}", "") if of else ("", f" to read from {now}")
        super().__init__(
            f"the group had committed offset {known}{where}, now its offset is {now}. If the source was deleted and "
            f"created again, or somebody set the offset back, restart the worker{there}. Otherwise do not: the "
            "group's coordinator has not read all of its log yet, and the lane goes on when it has; if it does not, "
            "restart that broker"
        )


class OutputAheadError(Exception):
    """The output holds what the lane committed after the offset that the group's coordinator answers. It answers
    before it has read all of its log (Kafka 4.0 to 4.4), it has lost the newest offset (up to 3.9.0), or somebody has
    set the offset back and kept its metadata."""

    def __init__(self, offset: int, output: TopicPartition, first: int) -> None:
        super().__init__(
            f"the group's offset is {offset}, but {output.topic}:{output.partition} has records of this lane from "
            f"offset {first} on that were committed after it. The group's coordinator has not read all of its log yet, "
            "and the lane goes on when it has; or it has lost the newest offset (Kafka up to 3.9). If the lane does "
            "not go on within a minute, restart that broker. To write them again all the same: "
            f"stop the workers and set the offset with `{kafka_tool('consumer-groups')} --reset-offsets`"
        )


class OutputTakenBackError(Exception):
    """The group's coordinator answers the offset of a transaction that was aborted. It has taken the end of another one
    for that one's (up to Kafka 3.9.0 where it was behind, from 4.0 on where it has read a part of its log)."""

    def __init__(self, offset: int, output: TopicPartition, last: int) -> None:
        super().__init__(
            f"the group's offset is {offset}, but what this lane wrote before it, up to offset {last} of "
            f"{output.topic}:{output.partition}, was taken back with its transaction: the group's coordinator has "
            "applied an offset that was never committed. Restart that broker: it reads its log again, and the lane "
            "goes on. To leave these records out all the same: stop the workers and set the offset with "
            f"`{kafka_tool('consumer-groups')} --reset-offsets`"
        )


class NothingKnownError(Exception):
    """The group has no offset, although the lane's producer has written output lately: see ``OutputAheadError``. It may
    as well be right: the offset is deleted together with its source."""

    def __init__(self, output: TopicPartition, until: str) -> None:
        super().__init__(
            f"the group has no offset, but this lane has written to {output.topic}:{output.partition} lately: the "
            "group's coordinator may not have read all of its log yet. The lane asks again, and begins at the "
            f"beginning if there is none at {until}"
        )


class MissingTopicError(Exception):
    """A topic that existed when the worker started does not exist any more."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"{topic} does not exist any more: create it again as it was (see `upcast check`)")


class FewerPartitionsError(Exception):
    """A topic was created again with fewer partitions: output for a missing one would wait for ever."""

    def __init__(self, topic: str, before: int, now: int) -> None:
        super().__init__(
            f"{topic} has {counted(now, 'partition')}, it had {before} when the worker started: create it again as it "
            "was, or add partitions (see `upcast check`)"
        )


class NotAssignedError(Exception):
    """The partition is not assigned to this worker. A new producer would fence its owner."""


class BlockedError(Exception):
    """A lane cannot go on before a person does what the message says: for example, even the shortest dead letter of a
    record is refused."""


class HeldOffsetError(BlockedError):
    """A transaction of another producer is going to move the group's offset and does not end. The lane notices when it
    has ended."""

    def __init__(self, since: str) -> None:
        super().__init__(
            f"the group's offset is unknown since {since}: a transaction that moves it is open, or the group's "
            f"coordinator has not applied its end yet; the lane goes on by itself as soon as it is known: {END_IT}"
        )


class UndecidedError(BlockedError):
    """Brokers have lost acknowledged records: a person decides where to go on."""


def is_too_large(error: Exception) -> bool:
    """Whether a batch is larger than the broker accepts: the topic's limit was lowered since it was read."""
    return isinstance(error, RefusedError) and isinstance(error.cause, errors.MessageSizeTooLargeError)


def refusal(error: RefusedError) -> Fault:
    """The fault of a record that the destination refuses."""
    cause = error.cause
    plainly = getattr(cause, "description", None) or type(cause).__name__
    return Fault("produce", type(cause).__name__, f"{error.topic} refuses the record: {plainly}")


def denied(error: Exception) -> WorkerError:
    """The error that ends the process where a right is missing."""
    return WorkerError(f"kafka: {in_words(error)}", NEEDS_A_PERSON, code="UPC1204")


def kind(error: BaseException) -> str:
    """The class name of an error, for metrics and logs."""
    return type(hidden_cause(error.cause if isinstance(error, RefusedError) else error)).__name__


DOING: Mapping[Stage, str] = MappingProxyType(
    {"fetch": "starting", "decode": "asking for schemas", "produce": "sending the output", "commit": "committing"}
)


def reason(error: Exception, stage: Stage, patience: float) -> str:
    """Why a lane starts again, in words; ``patience`` is how long it waited for the brokers (s). The same error always
    gives the same words, so that it is logged once."""
    return in_words(error, DOING.get(stage, "working"), patience)


def pause_before_retry(attempt: int, initial: float, longest: float) -> float:
    """Seconds to pause: doubled with each attempt up to ``longest``; the jitter keeps many lanes from starting at
    once."""
    pause = min(longest, initial * 2.0 ** min(attempt, 30))
    return pause * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)
