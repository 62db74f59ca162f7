"""An outbox that weighs what it is given and keeps nothing: what would fit fits, and nothing is sent."""

from __future__ import annotations

from aiokafka import AIOKafkaProducer

from upcasters.event import Header
from worker.kafka.internals import Append
from worker.lanes.outbox import Outbox, OutputBatch
from worker.routes.route import OutputTopic

LINEAGE: list[Header] = [("upcaster", b"." * 240)]
"""About as large as the headers that a replay adds to each record."""
SURE = 4096
"""So far below a topic's limit nothing needs exact weighing: the room for a batch's frame and what stands in it."""


class DryOutbox(Outbox):
    """The producer is never started: it only knows how batches are compressed."""

    def __init__(self, producer: AIOKafkaProducer, destination: OutputTopic) -> None:
        super().__init__(producer, 0)
        self._destination = destination
        self.append: Append = self._append
        self.count = 0
        self._surely_fits = destination.max_message_bytes - SURE
        self.bytes = 0
        """Of keys, values and headers that would go to the destination."""

    def batch(self, topic: OutputTopic) -> OutputBatch:
        return self if topic.name == self._destination.name else super().batch(topic)

    def begin_batch(
        self,
        topic: OutputTopic,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header],
    ) -> bool:
        return self.put(topic, timestamp, key, value, headers)

    def put(
        self,
        topic: OutputTopic,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[Header],
    ) -> bool:
        if topic.name != self._destination.name:
            return self.fits(topic, timestamp, key, value, headers)
        if not self.fits(topic, timestamp, key, value, [*headers, *LINEAGE]):
            return False
        self.bytes += _size(key, value, headers)
        return True

    def _append(
        self, place: int, timestamp: int, key: bytes | None, value: bytes | None, headers: list[Header]
    ) -> object | None:
        size = len(value or b"") + len(key or b"")
        if headers:
            size = _size(key, value, headers)
        if size > self._surely_fits:
            return None
        self.bytes += size
        return self


def _size(key: bytes | None, value: bytes | None, headers: list[Header]) -> int:
    return len(key or b"") + len(value or b"") + sum(len(name) + len(content or b"") for name, content in headers)
