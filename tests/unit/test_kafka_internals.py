"""What the room behind aiokafka mends."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

import worker.kafka_internals  # noqa: F401  (mends aiokafka's connections)


class ClosedUnderUvloop:
    """What uvloop's transport does when it is closed already; asyncio's own says nothing."""

    closed = False

    def write(self, _data: bytes) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("send", ["send", "_send_sasl_token"])
async def test_writing_to_a_closed_connection_is_a_broken_connection(send: str) -> None:
    connection = AIOKafkaConnection("127.0.0.1", 1)
    connection._versions = {3: (0, 5)}
    connection._writer = ClosedUnderUvloop()
    request: Any = MetadataRequest([]) if send == "send" else b"token"
    with pytest.raises(KafkaConnectionError):
        getattr(connection, send)(request)
