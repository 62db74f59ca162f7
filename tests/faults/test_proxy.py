"""Late requests: they arrive behind the end of their transaction, and before their client hears of it."""

from __future__ import annotations

import asyncio

from tests.faults.proxy import END_TRANSACTION, PRODUCE, Late, Proxy, _message
from tests.ports import free_ports


def request(api: int, producer: str, correlation: int) -> bytes:
    body = api.to_bytes(2) + bytes(2) + correlation.to_bytes(4) + producer.encode()
    return len(body).to_bytes(4) + body


async def test_a_late_request_arrives_behind_the_end_of_its_transaction() -> None:
    seen: list[tuple[int, bytes]] = []

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while message := await _message(reader):
            seen.append((int.from_bytes(message[4:6]), message[12:]))
            writer.write((4).to_bytes(4) + message[8:12])

    listening, behind = free_ports(2)
    async with await asyncio.start_server(broker, "127.0.0.1", behind), Proxy(listening, behind) as proxy:
        late = Late(PRODUCE, "g:t:0")
        proxy.make_late(late)
        writing, ending = [await asyncio.open_connection("127.0.0.1", listening) for _ in range(2)]
        writing[1].write(request(PRODUCE, "g:t:0", 1))
        await late.is_held.wait()
        ending[1].write(request(PRODUCE, "g:t:1", 2) + request(END_TRANSACTION, "g:t:0", 3))
        assert [await _message(ending[0]) for _ in range(2)] == [b"\0\0\0\4\0\0\0\2", b"\0\0\0\4\0\0\0\3"]
        assert seen == [(PRODUCE, b"g:t:1"), (END_TRANSACTION, b"g:t:0"), (PRODUCE, b"g:t:0")]
        for _, writer in (writing, ending):
            writer.close()
