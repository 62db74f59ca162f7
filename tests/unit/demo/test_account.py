"""The demo says that all adds up only where it does: each way of being wrong is seeded and must be named."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable

import pytest

from upcast_demo.account import OFFSET_HEADER, DemoAccount, reckon
from upcast_demo.history import EXPECTED, SHARES, HistoryKind, MadeEvent, make_history
from upcast_demo.kafka import RecordReadBack
from upcasters import DeadLettered, Event, Passed, Upcast, load_chain
from upcasters.detection import Always, Detection, FromHeader, FromShape
from upcasters.policy import Policy

Topic = dict[int, list[RecordReadBack]]
PARTITIONS = 3


@pytest.fixture
def written() -> dict[int, list[MadeEvent]]:
    by_partition: dict[int, list[MadeEvent]] = {number: [] for number in range(PARTITIONS)}
    for event in make_history(2_000, PARTITIONS):
        by_partition[event.partition].append(event)
    return by_partition


def upcast_all(written: dict[int, list[MadeEvent]]) -> tuple[Topic, Topic]:
    """Destination and dead letters, as a faultless worker would leave them."""
    detection = Detection(
        (FromHeader("event-type"), Always("task_context")), (FromHeader("schema-version"), FromShape())
    )
    upcaster = load_chain("upcasters.devteam_runner:chain").upcaster(Policy(detection=detection))
    destination: Topic = {number: [] for number in written}
    letters: Topic = {number: [] for number in written}
    for partition, events in written.items():
        for offset, event in enumerate(events):
            outcome = upcaster.upcast(Event(event.value, event.key, event.headers, event.timestamp, offset))
            value = outcome.value if isinstance(outcome, Upcast) else event.value
            found = RecordReadBack(partition, offset, event.key, value, event.headers, event.timestamp)
            if isinstance(outcome, DeadLettered):
                headers = (*event.headers, (OFFSET_HEADER, str(offset).encode()))
                letters[partition].append(dataclasses.replace(found, headers=headers))
            else:
                assert isinstance(outcome, Upcast | Passed)
                destination[partition].append(found)
    return destination, letters


def test_a_history_is_the_same_each_time_and_has_every_kind() -> None:
    first, second = list(make_history(5_000, 4)), list(make_history(5_000, 4))
    assert first == second
    kinds = Counter(event.kind for event in first)
    assert set(kinds) == set(HistoryKind)
    bad = sum(count for kind, count in kinds.items() if EXPECTED[kind] == "dead-lettered")
    assert 0.01 < bad / len(first) < 0.06
    assert sum(SHARES.values()) == 1_000


def test_what_a_faultless_worker_leaves_adds_up(written: dict[int, list[MadeEvent]]) -> None:
    account = reckon(written, *upcast_all(written))
    assert account.complaints == []
    assert sum(account.counts.values()) == 2_000
    assert account.pair
    assert account.letter


def lose(destination: Topic, letters: Topic) -> None:
    del destination[1][7]


def lose_the_last(destination: Topic, letters: Topic) -> None:
    del destination[0][-1]


def double(destination: Topic, letters: Topic) -> None:
    destination[2].insert(5, destination[2][5])


def swap(destination: Topic, letters: Topic) -> None:
    here = destination[0]
    here[3], here[4] = here[4], here[3]


def lose_a_letter(destination: Topic, letters: Topic) -> None:
    del letters[next(partition for partition, found in letters.items() if found)][0]


def double_a_letter(destination: Topic, letters: Topic) -> None:
    here = next(found for found in letters.values() if found)
    here.append(here[0])


def alter_a_letter(destination: Topic, letters: Topic) -> None:
    here = next(found for found in letters.values() if found)
    here[0] = dataclasses.replace(here[0], value=b"{}")


def leave_one_old(destination: Topic, letters: Topic) -> None:
    here = destination[1]
    index = next(i for i, found in enumerate(here) if found.value and b"repo_path" in found.value)
    here[index] = dataclasses.replace(here[index], value=b'{"metadata":{}}')


@pytest.mark.parametrize(
    "harm",
    [lose, lose_the_last, double, swap, lose_a_letter, double_a_letter, alter_a_letter, leave_one_old],
)
def test_every_harm_is_noticed(harm: Callable[[Topic, Topic], None], written: dict[int, list[MadeEvent]]) -> None:
    destination, letters = upcast_all(written)
    harm(destination, letters)
    account: DemoAccount = reckon(written, destination, letters)
    assert not account.adds_up
