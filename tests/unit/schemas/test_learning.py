"""Ids are learnt once, whoever asks; what the registry does not know is remembered for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.registries.fake import FakeRegistry
from worker.schemas.frames import SchemaId
from worker.schemas.known import SchemaFolder
from worker.schemas.learning import MOST_UNKNOWN, Schemas
from worker.schemas.registry import Registry, RegistryError
from worker.settings.schemas import RegistrySettings


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as serving:
        yield serving


def schemas(registry: FakeRegistry, clock: list[float] | None = None, folder: Path | None = None) -> Schemas:
    now = clock or [0.0]
    kept = SchemaFolder(folder, (registry.url,), "") if folder else None
    return Schemas(Registry(RegistrySettings(urls=(registry.url,))), kept, 60.0, lambda: now[0])


def asked(registry: FakeRegistry, path: str) -> int:
    return registry.asked.count(f"GET {path}")


async def test_lanes_that_meet_an_id_together_ask_once(registry: FakeRegistry) -> None:
    number = SchemaId(registry.register("o-value", {}))
    known = schemas(registry)
    await asyncio.gather(*(known.learn([number]) for _ in range(20)))
    await known.learn([number])
    assert asked(registry, "/schemas/ids/1") == 1
    assert known.find(number) is not None


async def test_an_unknown_id_is_asked_for_again_after_a_while(registry: FakeRegistry) -> None:
    clock = [0.0]
    known, number = schemas(registry, clock), SchemaId(1)
    assert not known.was_asked(number)
    for now in (0.0, 30.0, 59.0):
        clock[0] = now
        await known.learn([number])
    assert (asked(registry, "/schemas/ids/1"), known.find(number), known.was_asked(number)) == (1, None, True)
    registry.register("o-value", {})
    clock[0] = 61.0
    await known.learn([number])
    assert known.find(number) is not None


async def test_a_registry_that_is_down_leaves_nothing_behind(registry: FakeRegistry) -> None:
    number = SchemaId(registry.register("o-value", {}))
    known = schemas(registry)
    registry.stop()
    for _ in range(2):
        with pytest.raises(RegistryError, match="does not answer"):
            await known.learn([number])
    assert not known.was_asked(number), "down is not unknown"
    registry.start()
    await known.learn([number])
    assert known.find(number) is not None


async def test_what_is_on_disk_needs_no_registry(registry: FakeRegistry, tmp_path: Path) -> None:
    number = SchemaId(registry.register("o-value", {"a": 1}))
    await schemas(registry, folder=tmp_path).learn([number])
    registry.stop()
    again = schemas(registry, folder=tmp_path)
    await again.learn([number])
    assert again.find(number) is not None


async def test_one_from_disk_is_asked_for_again_once(registry: FakeRegistry, tmp_path: Path) -> None:
    number = SchemaId(registry.register("o-value", {"a": 1}))
    await schemas(registry, folder=tmp_path).learn([number])
    registry.register("p-value", {"a": 1})
    again = schemas(registry, folder=tmp_path)
    await again.learn([number])
    await again.learn_anew(number)
    await again.learn_anew(number)
    found = again.find(number)
    assert found is not None
    assert [each.subject for each in found.places] == ["o-value", "p-value"]
    assert asked(registry, "/schemas/ids/1") == 2


async def test_a_lane_that_is_cancelled_leaves_the_question_to_the_others(registry: FakeRegistry) -> None:
    number = SchemaId(registry.register("o-value", {}))
    known = schemas(registry)
    first, second = (asyncio.create_task(known.learn([number])) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert known.find(number) is not None


async def test_made_up_ids_do_not_fill_the_memory(registry: FakeRegistry) -> None:
    known = schemas(registry)
    registry.fault = lambda _path: (404, {"error_code": 40403, "message": "Schema not found"})
    known._unknown = {SchemaId(number): 60.0 for number in range(10, 10 + MOST_UNKNOWN)}
    await known.learn([SchemaId(1)])
    assert len(known._unknown) <= MOST_UNKNOWN
    assert known.was_asked(SchemaId(1))
