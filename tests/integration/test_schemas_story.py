"""One story of topics with schemas on a real broker and registry: Avro, framed JSON, and JSON that becomes Avro.

One worker has all of them while the registry is frozen in the middle; then each is planned, replayed through kills and
proved; and what named an unknown schema is redriven after somebody has registered it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from tests.integration.test_apicurio import apicurio
from tests.integration.test_avro_values import GOOD, HOSTILE, KINDS, LATE, AvroOrders, late_letters_are_redriven
from tests.integration.test_framed_values import CHAIN, FRAMED, Framed, as_it_should_be, frozen, of
from tests.integration.test_replay import kill_after
from tests.kafka import Record, Topics, produce
from tests.registries.apicurio import Apicurio
from tests.replaying import FOREVER, STAMP
from tests.unit.schemas.test_by_schema import AVRO, HERE
from tests.worker_process import WorkerProcess, running_worker

__all__ = ["apicurio"]

KNOWN = [number for number in range(80) if number % KINDS in {2, 6, 7}]
"""Of schemas that the worker has seen when the registry is frozen."""
UNSEEN = [number for number in range(80, 160) if number % KINDS in GOOD]
HISTORY = 560


class Avro(AvroOrders):
    """Three schemas of writers, one unknown id, and bytes that are none."""

    settings: ClassVar[dict[str, Any]] = {"chain": HERE, "version": "shape", "reads": AVRO, "writes": AVRO}
    waits = True


class FromJson(AvroOrders):
    """Bare JSON that becomes Avro: one in eight has a price of too many digits, and one is no JSON."""

    settings: ClassVar[dict[str, Any]] = {"chain": HERE, "version": "shape", "reads": {"frame": "none"}, "writes": AVRO}
    waits = False
    """The schema of results is known at the start, and the source has none."""

    async def register_all(self) -> None:
        await self.register_destination()

    def value(self, number: int) -> bytes | None:
        price = f"{number}.505" if number % KINDS == LATE else f"{number}.50"
        value = json.dumps({"id": f"o-{number}", "price": price, "note": None}).encode()
        return {2: None, HOSTILE: value[:-1]}.get(number % KINDS, value)

    def event(self, number: int) -> Record:
        headers = [("number", b"%d" % number)]
        return Record(b"key-%d" % (number % 7), self.value(number), headers, STAMP + number, number % self.partitions)

    def wanted(self, number: int) -> dict[str, Any] | None:
        wanted = super().wanted(number)
        return wanted and {**wanted, "note": None, "currency": "EUR"}


class FramedJson(Framed):
    """JSON behind frames of two versions, an unknown id, and a value without its frame."""

    settings: ClassVar[dict[str, Any]] = {
        "chain": CHAIN,
        "version": [{"schema": {"field": "x-version"}}],
        "reads": FRAMED,
        "writes": FRAMED,
    }
    waits = True

    async def register_all(self) -> None:
        await self.register()

    async def outputs_are_right(self, numbers: list[int]) -> None:
        """As ``AvroOrders`` has it."""
        written = await self.outputs()
        assert sorted(map(of, written)) == numbers
        assert [of(each) for each in written if each.value != as_it_should_be(self, of(each))] == []


Tale = Avro | FromJson | FramedJson
TALES: Sequence[type[Tale]] = (Avro, FromJson, FramedJson)
"""Another format is one more of them."""


async def begin(kind: type[Tale], bootstrap: str, topics: Topics, folder: Path, registry: str) -> Tale:
    name = kind.__name__.lower()
    for role in ("old", "live", "live-dlt", "new", "new-dlt"):
        await topics.create(f"{name}-{role}", partitions=2, configs=FOREVER)
    own = folder / name
    own.mkdir()
    source, live, letters, group = (topics.name(f"{name}-{role}") for role in ("old", "live", "live-dlt", "group"))
    tale = kind(bootstrap, source, live, letters, group, own, 2)
    tale.registry = registry
    tale.configure(event_type="order", breaker={"rate": 1.0, "count": 0}, **kind.settings)
    await tale.register_all()
    return tale


@pytest.mark.long
async def test_topics_with_schemas_live_and_replayed(
    kafka_bootstrap: str, topics: Topics, tmp_path: Path, apicurio: Apicurio
) -> None:
    tales = [await begin(kind, kafka_bootstrap, topics, tmp_path, apicurio.url) for kind in TALES]
    await live_through_a_frozen_registry(tales, one_config(tales, tmp_path / "upcast.yaml"), apicurio)
    for tale in tales:
        await tale.outputs_are_right(sorted([*KNOWN, *UNSEEN]))
        assert await tale.dead() == []
    for tale in tales:
        name = type(tale).__name__.lower()
        tale.destination, tale.dead_letter = topics.name(f"{name}-new"), topics.name(f"{name}-new-dlt")
        tale.configure()
        await tale.register_destination()
    for tale in tales:
        await replayed_through_kills_and_proved(tale, await unregistered(tales))


def one_config(tales: Sequence[Tale], path: Path) -> Path:
    """All routes for one worker, which has kept no schema of an earlier run."""
    contents = [yaml.safe_load(tale.config.read_text()) for tale in tales]
    whole = {**contents[0], "routes": [route for content in contents for route in content["routes"]]}
    del whole["schema_registry"]["cache"]
    path.write_text(yaml.safe_dump(whole))
    return path


async def live_through_a_frozen_registry(tales: Sequence[Tale], config: Path, registry: Apicurio) -> None:
    for tale in tales:
        await send(tale, KNOWN)
    async with running_worker(config) as worker:
        await worker.until("/readyz", 200)
        await worker.caught_up(len(tales) * len(KNOWN))
        with frozen(registry):
            for tale in tales:
                await send(tale, UNSEEN)
            await all_who_need_no_schema_go_on(worker, tales)
            told = await worker.until("/readyz", 503)
            while "does not answer" not in json.dumps(told):
                told = await worker.until("/readyz", 503)
            assert await worker.metric("upcaster_records_dead_lettered_total") == 0
        await worker.caught_up(len(tales) * (len(KNOWN) + len(UNSEEN)))
        await worker.until("/readyz", 200)


async def all_who_need_no_schema_go_on(worker: WorkerProcess, tales: Sequence[Tale]) -> None:
    free = sum(len(UNSEEN) for tale in tales if not tale.waits)
    await worker.caught_up(len(tales) * len(KNOWN) + free)


async def send(tale: Tale, numbers: list[int]) -> None:
    await produce(tale.bootstrap, tale.source, [tale.event(number) for number in numbers])


async def unregistered(tales: Sequence[Tale]) -> int:
    """The id that the registry will give out next."""
    return max(tale.new for tale in tales) + 1


async def replayed_through_kills_and_proved(tale: Tale, late: int) -> None:
    if isinstance(tale, Avro):
        tale.late = late
    await tale.fill(HISTORY - 160, first=160)
    planned = await tale.make_plan()
    assert planned.counts.dead_lettered == 2 * (HISTORY - 160) // KINDS
    assert not planned.loss.lost
    await kill_after(tale, 100)
    await kill_after(tale, 200)
    await tale.replay()
    good = [number for number in range(160, HISTORY) if number % KINDS in GOOD]
    await tale.outputs_are_right(sorted([*KNOWN, *UNSEEN, *good]))
    verdict = await tale.verify()
    assert (verdict.findings.result, verdict.findings.lines()) == ("PASS", [])
    assert (await tale.upcast("verify", str(tale.receipt))).code == 0
    asked = json.loads((await tale.upcast("checklist", "--json")).out)
    told = {line["name"]: line for line in asked["lines"]}
    assert [told[name]["status"] for name in ("matrix", "data", "configuration")] == ["pass"] * 3, told
    if isinstance(tale, Avro):
        await late_letters_are_redriven(tale, range(160, HISTORY), [*KNOWN, *UNSEEN])
