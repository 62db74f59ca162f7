"""Error codes of Kafka that aiokafka does not know: it would raise UnknownError for each of them."""

from __future__ import annotations

from collections.abc import Collection

from aiokafka import TopicPartition, errors


class InvalidRecordError(errors.BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types
    """The broker refuses the content of a record, for example one without a key in a compacted topic."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker refused a record's content"


class UnstableOffsetCommitError(errors.BrokerResponseError):  # type: ignore[misc]  # aiokafka has no types
    """A transaction that moves the group's offset is open, or its end is not applied yet."""

    errno = 88
    message = "UNSTABLE_OFFSET_COMMIT"
    description = "A transaction that moves the group's offset has not ended yet"
    retriable = True
    partitions: Collection[TopicPartition] = ()
    """The partitions whose offset is unstable, where that is known."""


NEWER_CODES = {
    73: "TopicDeletionDisabled",
    74: "FencedLeaderEpoch",
    75: "UnknownLeaderEpoch",
    76: "UnsupportedCompressionType",
    77: "StaleBrokerEpoch",
    78: "OffsetNotAvailable",
    80: "PreferredLeaderNotAvailable",
    81: "GroupMaxSizeReached",
    82: "FencedInstanceId",
    83: "EligibleLeadersNotAvailable",
    84: "ElectionNotNeeded",
    85: "NoReassignmentInProgress",
    86: "GroupSubscribedToTopic",
    89: "ThrottlingQuotaExceeded",
    91: "ResourceNotFound",
    92: "DuplicateResource",
    93: "UnacceptableCredential",
    94: "InconsistentVoterSet",
    95: "InvalidUpdateVersion",
    96: "FeatureUpdateFailed",
    97: "PrincipalDeserializationFailure",
    98: "SnapshotNotFound",
    99: "PositionOutOfRange",
    100: "UnknownTopicId",
    101: "DuplicateBrokerRegistration",
    102: "BrokerIdNotRegistered",
    103: "InconsistentTopicId",
    104: "InconsistentClusterId",
    105: "TransactionalIdNotFound",
    106: "FetchSessionTopicId",
    107: "IneligibleReplica",
    108: "NewLeaderElected",
    109: "OffsetMovedToTieredStorage",
    110: "FencedMemberEpoch",
    111: "UnreleasedInstanceId",
    112: "UnsupportedAssignor",
    113: "StaleMemberEpoch",
    114: "MismatchedEndpointType",
    115: "UnsupportedEndpointType",
    116: "UnknownControllerId",
    117: "UnknownSubscriptionId",
    118: "TelemetryTooLarge",
    119: "InvalidRegistration",
    120: "TransactionAbortable",
    121: "InvalidRecordState",
    122: "ShareSessionNotFound",
    123: "InvalidShareSessionEpoch",
    124: "FencedStateEpoch",
    125: "InvalidVoterKey",
    126: "DuplicateVoter",
    127: "VoterNotFound",
    128: "InvalidRegularExpression",
    129: "RebootstrapRequired",
    130: "StreamsInvalidTopology",
    131: "StreamsInvalidTopologyEpoch",
    132: "StreamsTopologyFenced",
    133: "ShareSessionLimitReached",
}
"""As of Kafka 4.4. aiokafka knows all other codes but those of ``OWN_ERRORS``."""

PRODUCER_FENCED = 90
OWN_ERRORS = {
    InvalidRecordError.errno: InvalidRecordError,
    UnstableOffsetCommitError.errno: UnstableOffsetCommitError,
    PRODUCER_FENCED: errors.ProducerFenced,
}
"""Codes that the worker handles in another way than an unknown error."""


def register_error_codes() -> None:
    """Have aiokafka raise an error of its own name for each code. None of them is retriable, as before."""
    for code, error in OWN_ERRORS.items():
        errors.kafka_errors.setdefault(code, error)
    for code, name in NEWER_CODES.items():
        errors.kafka_errors.setdefault(code, _error(code, f"{name}Error"))


def _error(code: int, name: str) -> type[errors.BrokerResponseError]:
    return type(name, (errors.BrokerResponseError,), {"errno": code, "message": name, "__module__": __name__})
