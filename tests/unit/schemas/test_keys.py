"""Keys that a step sets, written by a schema of their own; all other keys stay as they are."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import fastavro
import pytest

from tests.registries.fake import FakeRegistry
from tests.unit.schemas.test_framed import fault, framed
from upcasters import KEY, Baseline, Chain, Step, add, derive, equals, set_key, split_each, when
from upcasters.event import Event, Header, SourcePartition
from upcasters.outcome import Outcome, Passed, Upcast
from worker.errors import WorkerError
from worker.routes.chains import RouteChain, load_route_chain
from worker.settings import RouteSettings
from worker.settings.schemas import RegistrySettings

HERE = "tests.unit.schemas.test_keys"
PLACE = SourcePartition("old", 0)
FRAMED = {"frame": "confluent"}


number = Chain(
    [
        Step("order", "1", "2", [when(equals("move", True), set_key("id", numbers="text"))], lossy="key"),
        Step("order", "2", "3", [derive("under", [KEY], str)]),
    ],
    [Baseline("order", "1")],
)
pair = Chain(
    [Step("order", "1", "2", [set_key("at.shop", "id", numbers="text")], lossy="key")],
    [Baseline("order", "1")],
)
parts = Chain(
    [Step("order", "1", "2", [split_each("lines", "line", item="of", number="at", key=("id", "at"))], lossy="lines")],
    [Baseline("order", "1"), Baseline("line", "2")],
)
previewed = Chain(
    [
        Step("order", "1", "2", [add("unit", "EUR")]),
        Step("order", "2", "3", [set_key("id")], preview=True, lossy="key"),
    ],
    [Baseline("order", "1")],
)
plain = Chain([Step("order", "1", "2", [add("unit", "EUR")])], [Baseline("order", "1")])
LONG = {"type": "long"}
PAIR = {"type": "record", "name": "Key", "fields": [{"name": "shop", "type": "string"}, {"name": "id", "type": "long"}]}


class Setting:
    """A route whose values are bare JSON, and whose keys are not."""

    def __init__(self, fake: FakeRegistry, schema: Any, **route: Any) -> None:
        self.number = fake.register("new-key", schema, schemaType="AVRO") if schema else 0
        settings = {
            "source": "old",
            "destination": "new",
            "event_type": "order",
            "version": [{"default": "1"}],
            "chain": f"{HERE}:number",
            "writes": {"key": {"format": "avro"}},
        }
        self.route = RouteSettings.model_validate({**settings, **route})
        self.given: RouteChain = load_route_chain(self.route, RegistrySettings(urls=(fake.url,)))

    async def outcome(self, value: bytes, *headers: Header, key: bytes | None = b"k") -> Outcome:
        event = Event(value, key, list(headers), 7, 9)
        await self.given.begin()
        await self.given.learn([event])
        made = self.given.upcaster.upcast(event, PLACE)
        plainly = self.given.built(step_by_step=True).upcast(event, PLACE)
        assert made == plainly or made.output(event) == plainly.output(event)
        return made

    async def output(self, value: bytes, *headers: Header, key: bytes | None = b"k") -> Sequence[Any]:
        outcome = await self.outcome(value, *headers, key=key)
        assert isinstance(outcome, Upcast | Passed), outcome
        made = outcome.output(Event(value, key, list(headers), 7, 9))
        return [(each.key, each.value, list(each.headers)) for each in made]


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as serving:
        yield serving


def avro(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


async def test_a_key_that_a_step_sets_is_written_by_its_schema_and_others_stay(fake: FakeRegistry) -> None:
    at = Setting(fake, LONG)
    (made,) = await at.output(b'{"id":70000,"move":true}')
    assert made[0] == framed(at.number, avro(LONG, 70000))
    assert made[1] == b'{"id":70000,"move":true,"under":"70000"}', "later steps see the key as its text"
    ((untouched, _, _),) = await at.output(b'{"id":70000,"move":false}', key=b"k")
    assert untouched == b"k"


@pytest.mark.parametrize("frame", ["confluent-header", "apicurio-header"])
async def test_a_header_names_the_schema_of_a_key_that_a_step_sets(fake: FakeRegistry, frame: str) -> None:
    at = Setting(fake, LONG, writes={"key": {"format": "avro", "frame": frame}})
    trace = ("trace", b"x")
    stale = [("__key_schema_id", framed(9, b"")), ("apicurio.key.globalId", bytes(8))]
    ((key, _, headers),) = await at.output(b'{"id":70000,"move":true}', *stale, trace)
    assert key == avro(LONG, 70000)
    name, value = headers[-1]
    assert headers == [trace, (name, value)]
    if frame == "apicurio-header":
        assert (name, value) == ("apicurio.key.contentId", at.number.to_bytes(8, "big"))
    else:
        assert (name, value[:1], len(value)) == ("__key_schema_id", b"\x01", 17), "the fake has GUIDs"
    ((key, _, headers),) = await at.output(b'{"id":70000,"move":false}', *stale, key=b"k")
    assert (key, headers) == (b"k", stale)


async def test_a_header_that_names_the_schema_of_the_old_key_goes_with_it(fake: FakeRegistry) -> None:
    at = Setting(fake, LONG)
    stale, trace = ("__key_schema_id", framed(9, b"")), ("trace", b"x")
    ((_, _, headers),) = await at.output(b'{"id":1,"move":true}', stale, trace)
    assert headers == [trace]
    ((_, _, headers),) = await at.output(b'{"id":1,"move":false}', stale, trace)
    assert headers == [stale, trace], "that of a key which stays is right"
    bare = Setting(fake, None, reads=FRAMED, writes={}, version=[{"default": "1"}])
    value = fake.register("old-value", {"title": "order"})
    ((key, _, headers),) = await bare.output(framed(value, b'{"id":1,"move":true}'), stale, trace)
    assert (key, headers) == (b"1", [trace]), "a new key that is a bare text has no schema either"


async def test_a_key_of_several_fields_is_a_record_or_their_text(fake: FakeRegistry) -> None:
    value = b'{"id":5,"at":{"shop":"north"}}'
    at = Setting(fake, PAIR, chain=f"{HERE}:pair")
    ((key, _, _),) = await at.output(value)
    assert key == framed(at.number, avro(PAIR, {"shop": "north", "id": 5}))
    at = Setting(fake, {"type": "string"}, chain=f"{HERE}:pair")
    ((key, _, _),) = await at.output(value)
    assert key == framed(at.number, avro("string", "north/5"))
    at = Setting(fake, {"type": "bytes"}, chain=f"{HERE}:pair")
    ((key, _, _),) = await at.output(value)
    assert key == framed(at.number, avro("bytes", b"north/5"))


@pytest.mark.parametrize(
    ("schema", "chain", "key"),
    [
        ({"type": "object"}, "pair", b'{"shop":"north","id":5}'),
        ({"type": "string"}, "pair", b'"north/5"'),
        ({"type": "integer"}, "number", b"5"),
    ],
)
async def test_a_key_in_json_behind_a_frame(fake: FakeRegistry, schema: Any, chain: str, key: bytes) -> None:
    number = fake.register("new-key", schema)
    at = Setting(fake, None, chain=f"{HERE}:{chain}", writes={"key": {"frame": "apicurio-8"}})
    ((made, _, _),) = await at.output(b'{"id":5,"move":true,"at":{"shop":"north"}}')
    assert made == b"\0" + number.to_bytes(8, "big") + key


async def test_each_part_of_a_split_has_a_key_of_the_schema(fake: FakeRegistry) -> None:
    schema = {**PAIR, "fields": [{"name": "id", "type": "string"}, {"name": "at", "type": "int"}]}
    at = Setting(fake, schema, chain=f"{HERE}:parts", unknown_type="dead-letter")
    made = await at.output(b'{"id":"a","lines":["x","y"]}')
    assert [key for key, _, _ in made] == [framed(at.number, avro(schema, {"id": "a", "at": n})) for n in (0, 1)]


async def test_a_value_that_the_schema_of_keys_has_no_place_for_is_a_dead_letter(fake: FakeRegistry) -> None:
    at = Setting(fake, LONG)
    found = fault(await at.outcome(b'{"id":"x","move":true}'))
    assert (found.stage, found.step) == ("validate", "order:1->2"), found
    assert "the record key" in found.message


async def test_what_cannot_work_is_refused_at_the_start(fake: FakeRegistry, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="no step sets one"):
        Setting(fake, None, chain=f"{HERE}:plain")
    with pytest.raises(WorkerError, match="no step sets one"):
        Setting(fake, None, chain=f"{HERE}:previewed")
    with pytest.raises(WorkerError, match="new-key: the schema registry has no such subject, and keys of new are"):
        await Setting(fake, None).given.begin()
    file = tmp_path / "key.avsc"
    file.write_text(json.dumps(PAIR))
    own = {"format": "avro", "schema": str(file)}
    at = Setting(fake, None, chain=f"{HERE}:pair", writes={"key": own})
    with pytest.raises(WorkerError, match="new-key: the schema of keys is not registered there"):
        await at.given.begin()
    assert at.given.framing is not None
    with pytest.raises(WorkerError, match="not registered there"):
        await at.given.framing.look()
    at = Setting(fake, None, chain=f"{HERE}:pair", writes={"key": {**own, "register": True}})
    assert at.given.framing is not None
    assert await at.given.framing.look() == []
    await at.given.begin()
    assert at.given.framing.written() == {"key": "1 (new-key version 1)"}
    at = Setting(fake, None, chain=f"{HERE}:number", writes={"key": {**own, "register": True}})
    for ask in (at.given.begin, at.given.framing.look):  # type: ignore[union-attr]  # the test fails where it is another
        with pytest.raises(WorkerError, match="the schema requires shop, which is no part of it"):
            await ask()
    fake.register("new-key", LONG, schemaType="AVRO")
    with pytest.raises(WorkerError, match="the schema is that of one long, and the key has 2 parts"):
        await Setting(fake, None, chain=f"{HERE}:pair").given.begin()
    with pytest.raises(WorkerError, match=r"its schema is of kind AVRO, and writes\.key\.format is json"):
        await Setting(fake, None, writes={"key": {}}).given.begin()
    with pytest.raises(ValueError, match="register: true needs schema"):
        Setting(fake, None, writes={"key": {"register": True}})
