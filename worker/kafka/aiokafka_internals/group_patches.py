"""Handles errors in a coordinator's answer about committed offsets that aiokafka ignores."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from aiokafka import errors as kafka_errors
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.protocol.commit import OffsetFetchRequest


def reading_the_whole_answer(send: Callable[..., Any]) -> Callable[..., Any]:
    """While a coordinator loads or moves, it answers a question for offsets with one error and no partitions. aiokafka
    looks only for errors of partitions, and takes that for a group that has committed nothing: its reader would
    begin again at the beginning. Of a right that is missing it does not say on what."""

    @functools.wraps(send)
    async def sending(asker: Any, request: Any, *arguments: Any) -> Any:
        answer = await send(asker, request, *arguments)
        if not isinstance(request, OffsetFetchRequest):
            return answer
        code = getattr(answer, "error_code", 0)
        if code:
            if code == kafka_errors.NotCoordinatorForGroupError.errno and isinstance(asker, GroupCoordinator):
                asker.coordinator_dead()
            denied = code == kafka_errors.GroupAuthorizationFailedError.errno
            raise kafka_errors.for_code(code)(request._consumer_group if denied else "asked for committed offsets")
        for topic, partitions in answer.topics:
            if any(each[-1] == kafka_errors.TopicAuthorizationFailedError.errno for each in partitions):
                raise kafka_errors.TopicAuthorizationFailedError(topic)
        return answer

    return sending
