"""Kafka's error codes that aiokafka does not know: it would call each of them an unknown error."""

from __future__ import annotations

from aiokafka import errors

LATER = {
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
"""As of Kafka 4.4. aiokafka itself, ``internals`` and ``stable_offsets`` know the others."""


def know_them() -> None:
    """Have aiokafka raise an error of each one's own name. None of them is tried again by itself, as before."""
    for code, name in LATER.items():
        errors.kafka_errors.setdefault(code, _error(code, f"{name}Error"))


def _error(code: int, name: str) -> type[errors.BrokerResponseError]:
    return type(name, (errors.BrokerResponseError,), {"errno": code, "message": name, "__module__": __name__})
