"""Dead letters as they stand in their topic."""

from __future__ import annotations

from collections.abc import Sequence

from upcasters.event import Event, Header, SourcePartition
from upcasters.outcome import Fault
from worker.dead_letters import Redriven, Reporter, dead_letter
from worker.kafka.raw_headers import encode_headers

FAULT = Fault("upcast", "MissingField", "no such field", "task", "1.0", "2.0", "task_0002", "metadata.taskId")
RECORD = Event(b"value", b"key", [("own", b"1")], 1_600_000_000_000, 42)
ROOMS = (100_000, 1_020, 950, 300, 120, 0)
"""Bytes of headers: from all of them to the shortest form."""


def written(
    record: Event,
    *,
    room: int = ROOMS[0],
    replay_id: str = "",
    redriven: Redriven | None = None,
    restamped: bool = False,
    topic: str = "legacy",
) -> Event:
    """The letter as it stands in its topic, at offset 7; the shortest form where there is no room for more."""
    sizes: list[int] = []

    def fits(headers: Sequence[Header]) -> bool:
        sizes.append(len(encode_headers(list(headers))) - len(encode_headers(list(record.headers))))
        return sizes[-1] <= room or len(sizes) == 5

    reporter = Reporter("group", "worker-1", "0.1.0", replay_id)
    letter = dead_letter(
        record,
        SourcePartition(topic, 1),
        FAULT,
        reporter,
        1_700_000_000.5,
        fits,
        restamped=restamped,
        redriven=redriven,
    )
    assert letter.fits
    return Event(record.value, record.key, letter.headers, 5 if restamped else record.timestamp, 7)
