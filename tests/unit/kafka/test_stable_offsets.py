"""Committed offsets are asked for as stable ones, and one that is still to come is waited for, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from worker.kafka.codes import UnstableOffsetCommitError
from worker.kafka.stable_offsets import (
    OFFSET_FETCH,
    StableOffsetsRequest,
    TooOldBrokerError,
    committed_by_group,
    committed_with_note,
    refuse_too_old,
)
from worker.kafka.waiting import may_pass

PLACE = TopicPartition("legacy", 0)
LOADING = kafka_errors.GroupLoadInProgressError.errno
MOVED = kafka_errors.NotCoordinatorForGroupError.errno
UNSTABLE = UnstableOffsetCommitError.errno


def answer(offset: int = -1, note: str | None = "", code: int = 0, error: int = 0) -> Any:
    return StableOffsetsRequest.Answer(0, [("legacy", [(0, offset, -1, note, code, {})], {})], error, {})


class Broker:
    """The coordinator of a group, asked by a member or by an admin client; its last answer holds on."""

    group_id = "group"

    def __init__(self, answers: Sequence[Any]) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []
        self.is_known = False
        self._coordinator = self

    async def ensure_coordinator_known(self) -> None:
        self.is_known = True

    def coordinator_dead(self) -> None:
        self.is_known = False

    async def find_coordinator(self, group: str) -> int:
        assert group == self.group_id
        return 1

    async def _send_req(self, request: Any) -> Any:
        assert self.is_known
        return await self._send_request(request, 1)

    async def _send_request(self, request: Any, node: int) -> Any:
        assert node == 1
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def told(self, patience: float = 60) -> OffsetAndMetadata | None:
        return await committed_with_note(cast("AIOKafkaConsumer", self), PLACE, patience)

    async def told_to_admin(self, patience: float = 60) -> Any:
        return await committed_by_group(cast("AIOKafkaAdminClient", self), "group", [PLACE], patience)


def test_the_request_says_that_the_offset_must_be_stable() -> None:
    request = StableOffsetsRequest("g", [TopicPartition("t", 1), TopicPartition("t", 0)])
    struct = request.prepare({OFFSET_FETCH: (0, 9)})
    assert (struct.API_KEY, struct.API_VERSION) == (9, 7)
    group, topics, tags = b"\x02g", b"\x02\x02t\x03" + bytes(7) + b"\x01" + b"\x00", b"\x00"
    assert struct.encode() == group + topics + b"\x01" + tags
    assert struct.build_request_header(5, "me").encode() == b"\x00\x09\x00\x07\x00\x00\x00\x05\x00\x02me\x00"


def test_an_answer_with_the_longest_note_that_brokers_keep_is_read() -> None:
    encoded = answer(7, "é" * 2048).encode()
    assert StableOffsetsRequest.Answer.decode(BytesIO(encoded)).topics[0][1][0] == (0, 7, -1, "é" * 2048, 0, {})


def test_a_broker_that_cannot_be_asked_is_refused_in_one_line() -> None:
    for versions in ({}, {OFFSET_FETCH: (0, 6)}):
        with pytest.raises(TooOldBrokerError, match=r"older than Kafka 2\.5") as refused:
            refuse_too_old(versions)
        assert not refused.value.retriable
    refuse_too_old({OFFSET_FETCH: (0, 7)})
    refuse_too_old({OFFSET_FETCH: (1, 10)})


async def test_what_is_committed_is_reported_with_its_note() -> None:
    assert await Broker([answer(12, "note")]).told() == OffsetAndMetadata(12, "note")
    assert await Broker([answer(0, None)]).told() == OffsetAndMetadata(0, "")
    assert await Broker([answer()]).told() is None


@pytest.mark.parametrize("way", [Broker.told, Broker.told_to_admin])
async def test_an_offset_that_is_to_come_is_waited_for(way: Any) -> None:
    broker = Broker([answer(code=UNSTABLE), answer(code=UNSTABLE), answer(30)])
    found = await way(broker)
    assert (found if way is Broker.told else found[PLACE]).offset == 30
    assert len(broker.asked) == 3


@pytest.mark.parametrize("way", [Broker.told, Broker.told_to_admin])
async def test_an_offset_that_stays_to_come_is_neither_absent_nor_the_one_before(way: Any) -> None:
    with pytest.raises(UnstableOffsetCommitError, match="legacy:0"):
        await way(Broker([answer(code=UNSTABLE)]), patience=0)


async def test_a_coordinator_that_moves_or_loads_is_no_group_without_offsets() -> None:
    broker = Broker([answer(error=LOADING), answer(error=MOVED), answer(code=LOADING), answer(8)])
    assert await broker.told(patience=0) == OffsetAndMetadata(8, "")
    for error in (answer(error=LOADING), answer(code=LOADING)):
        with pytest.raises(kafka_errors.GroupLoadInProgressError):
            await Broker([error]).told_to_admin()


async def test_a_right_that_is_missing_names_what_it_is_for() -> None:
    for code, error, name in (
        (0, kafka_errors.GroupAuthorizationFailedError, "group"),
        (1, kafka_errors.TopicAuthorizationFailedError, "legacy"),
    ):
        denied = answer(error=error.errno) if code == 0 else answer(code=error.errno)
        with pytest.raises(error, match=name):
            await Broker([denied]).told()


def test_the_code_is_known_and_not_asked_for_twice() -> None:
    assert kafka_errors.for_code(88) is UnstableOffsetCommitError
    assert UnstableOffsetCommitError.retriable, "aiokafka's own tasks end on what is not"
    assert not may_pass(UnstableOffsetCommitError("legacy:0"))
