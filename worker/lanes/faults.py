"""What an error means for a lane: a content that is refused, a right that is missing, or something that may pass."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType

from aiokafka import errors
from aiokafka.errors import KafkaError

from upcasters.outcome import Fault, Stage
from worker.errors import NEEDS_A_PERSON, WorkerError
from worker.kafka.codes import InvalidRecordError
from worker.kafka.refusals import hidden_cause, in_words
from worker.kafka.stable_offsets import END_IT

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
"""It comes back when somebody gives it."""
FENCED = (errors.ProducerFenced, errors.InvalidProducerEpoch)


class RefusedError(Exception):
    """The broker took a batch for ``topic`` for wrong; which of its records it was is not known yet."""

    def __init__(self, topic: str, cause: KafkaError) -> None:
        super().__init__(f"{topic} refused a batch: {type(cause).__name__}")
        self.topic = topic
        self.cause = cause


class PoisonError(Exception):
    """Working on the record at ``offset`` raised, which the pure core promises not to do."""

    def __init__(self, offset: int, cause: Exception) -> None:
        super().__init__(f"processing the record at offset {offset} raised {type(cause).__name__}")
        self.offset = offset
        self.cause = cause
        self.fault = Fault(
            "upcast", type(cause).__name__, "processing the record raised an error; see the worker's log"
        )


class GapError(Exception):
    """A fetch did not go on where the one before it ended."""


class OtherLogError(Exception):
    """The source does not have any more what was read of it: it was cut and has grown again."""

    def __init__(self) -> None:
        super().__init__("the source has lost records that were read, and their offsets now belong to other records")


class WentBackError(Exception):
    """The group's offset is behind one that this worker has seen committed. Its coordinator has forgotten (Kafka 4.3
    does so for a moment when it loads twice in a row), somebody set it back under a running worker, or the source was
    deleted and made anew, at which it goes."""

    def __init__(self, known: int, now: int) -> None:
        super().__init__(
            f"the group had committed offset {known}, now its offset is {now}: the source was deleted and created "
            f"again, or somebody set the offset back: restart the worker to read from {now}; otherwise the lane goes "
            "on as soon as the brokers know the offset again"
        )


class MissingTopicError(Exception):
    """A topic that was there when the worker started."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"{topic} does not exist any more: create it again as it was (see `upcast check`)")


class FewerPartitionsError(Exception):
    """A topic was made anew, with fewer partitions: what belongs into one that is gone would wait for it for ever."""

    def __init__(self, topic: str, before: int, now: int) -> None:
        super().__init__(
            f"{topic} has {now} partitions, it had {before} when the worker started: create it again as it was, or "
            "add partitions (see `upcast check`)"
        )


class NotAssignedError(Exception):
    """The partition is nobody's, or somebody else's, whom a new producer would fence."""


class BlockedError(Exception):
    """A lane cannot go on before somebody does what the reason says: for example, even the shortest dead letter of a
    record is refused."""


class HeldOffsetError(BlockedError):
    """Somebody else's transaction is about to move the group's offset, and does not end. The lane sees when it has."""

    def __init__(self, since: str) -> None:
        super().__init__(
            f"the group's offset is unknown since {since}: a transaction that moves it is open, or the group's "
            f"coordinator has not applied its end yet; the lane goes on by itself as soon as it is known: {END_IT}"
        )


class UndecidedError(BlockedError):
    """Brokers have lost what they had acknowledged: a person decides where to go on."""


def is_too_large(error: Exception) -> bool:
    """No batch is larger than the limit that we know: it was lowered since."""
    return isinstance(error, RefusedError) and isinstance(error.cause, errors.MessageSizeTooLargeError)


def refusal(error: RefusedError) -> Fault:
    """The destination does not take this one record."""
    cause = error.cause
    plainly = getattr(cause, "description", None) or type(cause).__name__
    return Fault("produce", type(cause).__name__, f"{error.topic} refuses the record: {plainly}")


def denied(error: Exception) -> WorkerError:
    """One line for a person."""
    return WorkerError(f"kafka: {in_words(error)}", NEEDS_A_PERSON)


def kind(error: BaseException) -> str:
    """The class of an error, for metrics and logs; never its text, which could be long."""
    return type(hidden_cause(error.cause if isinstance(error, RefusedError) else error)).__name__


DOING: Mapping[Stage, str] = MappingProxyType(
    {"fetch": "starting", "produce": "sending the output", "commit": "committing"}
)


def reason(error: Exception, stage: Stage, patience: float) -> str:
    """Why a lane begins again, in words; ``patience`` is how long it waits for the brokers (s). Says the same each
    time, so that it is told once."""
    return in_words(error, DOING.get(stage, "working"), patience)


def pause_before_retry(attempt: int, initial: float, longest: float) -> float:
    """Doubles with each attempt up to ``longest``; the jitter keeps many lanes from coming back at once."""
    pause = min(longest, initial * 2.0 ** min(attempt, 30))
    return pause * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)
