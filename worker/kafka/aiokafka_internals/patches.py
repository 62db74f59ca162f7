"""The table of patches to aiokafka, and the call that applies them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest

from worker.kafka import codes
from worker.kafka.aiokafka_internals.broker_patches import (
    creating_no_topic,
    finding_moved_brokers,
    telling_that_it_is_closed,
)
from worker.kafka.aiokafka_internals.closing_patches import (
    closing_the_first_connection,
    noting_the_end,
    noting_who_opened_it,
    opening_none_after_the_end,
)
from worker.kafka.aiokafka_internals.fetch_patches import patient_while_idle
from worker.kafka.aiokafka_internals.group_patches import reading_the_whole_answer
from worker.kafka.aiokafka_internals.login_patches import (
    closing_all,
    ending_sessions,
    noting_the_session,
    taking_turns,
    telling_of_refusals,
)
from worker.kafka.aiokafka_internals.produce_patches import encoding_at_once, remembering_refusals
from worker.kafka.aiokafka_internals.quota_patches import fetching_less, honouring_quotas
from worker.kafka.aiokafka_internals.reader import keeping_the_bytes


class Patch(NamedTuple):
    """Replaces ``owner.name`` by ``change(owner.name)``."""

    owner: Any
    name: str
    change: Callable[[Any], Any]

    def apply(self) -> None:
        setattr(self.owner, self.name, self.change(getattr(self.owner, self.name)))


PATCHES = (
    Patch(AIOKafkaClient, "send", honouring_quotas),
    Patch(AIOKafkaClient, "_metadata_update", finding_moved_brokers),
    Patch(AIOKafkaClient, "bootstrap", closing_the_first_connection),
    Patch(AIOKafkaClient, "_get_conn", ending_sessions),
    Patch(AIOKafkaClient, "_get_conn", opening_none_after_the_end),
    Patch(AIOKafkaClient, "close", closing_all),
    Patch(AIOKafkaClient, "close", noting_the_end),
    Patch(AIOKafkaConnection, "send", telling_that_it_is_closed),
    Patch(AIOKafkaConnection, "send", noting_the_session),
    Patch(AIOKafkaConnection, "_send_sasl_token", telling_that_it_is_closed),
    Patch(AIOKafkaConnection, "connect", taking_turns),
    Patch(AIOKafkaConnection, "connect", noting_who_opened_it),
    Patch(AIOKafkaConnection, "_do_sasl_handshake", telling_of_refusals),
    Patch(MetadataRequest, "build", creating_no_topic),
    Patch(GroupCoordinator, "_send_req", reading_the_whole_answer),
    Patch(AIOKafkaAdminClient, "_send_request", reading_the_whole_answer),
    Patch(SendProduceReqHandler, "_can_retry", remembering_refusals),
    *(Patch(version, "encode", encoding_at_once) for version in ProduceRequest._CLASSES),
    Patch(fetcher.Fetcher, "_get_actions_per_node", fetching_less),
    Patch(fetcher.Fetcher, "_get_actions_per_node", patient_while_idle),
    Patch(fetcher, "MemoryRecords", keeping_the_bytes),
)
"""In the order of application: of two for the same name the second wraps the first."""


@functools.cache
def apply_patches() -> None:
    """Patch aiokafka for this process; later calls do nothing."""
    for patch in PATCHES:
        patch.apply()
    codes.register_error_codes()
