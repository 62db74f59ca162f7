"""Records in Protobuf through a route: by schema and message as their frames name them, and from JSON and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.registries.fake import FakeRegistry
from tests.unit.schemas.test_framed import fault, framed
from tests.unit.upcasters.formats.generated_protobuf import message_class
from upcasters import Baseline, Chain, Step, convert, default, nest, present, rename
from upcasters.event import Event, Header, SourcePartition
from upcasters.formats import Reference, Schema
from upcasters.loading import imported_names, imports_of
from upcasters.outcome import Fault, Outcome, Passed, Upcast
from worker.errors import WorkerError
from worker.routes.chains import RouteChain, load_route_chain
from worker.schemas.frames import CONFLUENT_HEADER
from worker.schemas.known import RawReference
from worker.schemas.messages import indexes_at, ref_at, written_indexes, written_ref
from worker.schemas.registry import Registry
from worker.schemas.subjects import in_order
from worker.settings import RouteSettings
from worker.settings.schemas import RegistrySettings

PLACE = SourcePartition("old", 0)
HERE = "tests.unit.schemas.test_protobuf_values:chain"
PROTOBUF = {"frame": "confluent", "format": "protobuf"}
chain = Chain(
    [
        Step(
            "order",
            "1",
            "2",
            [convert("price", float, str), rename("price", "total"), default("currency", "EUR")],
            shape=present("total"),
        )
    ],
    [Baseline("order", "1", shape=present("price"))],
)

PART_TEXT = 'syntax = "proto3"; package shop; message Part { string name = 1; }'
PART = Reference("shop/part.proto", Schema("protobuf", PART_TEXT))
HEAD = 'syntax = "proto3"; package shop; import "shop/part.proto"; '
OLD = HEAD + "message Other { int32 x = 1; } message Order { string id = 1; string price = 2; Part part = 3; }"
NEW = HEAD + "message Order { string id = 1; double total = 4; Part part = 3; string currency = 5; }"
ONE = message_class(Schema("protobuf", OLD, (PART,), "shop.Order"))
TWO = message_class(Schema("protobuf", NEW, (PART,)))
SECOND = written_indexes((1,))


class Setting:
    """A route on a registry of its own, with the schemas of both versions."""

    def __init__(self, fake: FakeRegistry, **route: Any) -> None:
        settings = {"source": "old", "destination": "new", "chain": HERE, "reads": PROTOBUF, "writes": PROTOBUF}
        self.route = RouteSettings.model_validate({**settings, **route})
        self.given: RouteChain = load_route_chain(self.route, RegistrySettings(urls=(fake.url,), unknown_for=0.001))
        fake.register("shop/part.proto", PART_TEXT, schemaType="PROTOBUF")
        references = [{"name": "shop/part.proto", "subject": "shop/part.proto", "version": 1}]
        self.one = fake.register("old-value", OLD, schemaType="PROTOBUF", references=references)
        self.two = fake.register("new-value", NEW, schemaType="PROTOBUF", references=references)

    async def outcome(self, value: bytes | None, *headers: Header) -> Outcome:
        event = Event(value, b"k", list(headers), 7, 9)
        await self.given.begin()
        await self.given.learn([event])
        first = self.given.upcaster.upcast(event, PLACE)
        assert self.given.upcaster.upcast(event, PLACE) == first
        plainly = self.given.built(step_by_step=True).upcast(event, PLACE)
        assert type(plainly) is type(first)
        return first

    async def output(self, value: bytes, *headers: Header) -> tuple[bytes, list[Header]]:
        outcome = await self.outcome(value, *headers)
        assert isinstance(outcome, Upcast | Passed), outcome
        (made,) = outcome.output(Event(value, b"k", list(headers), 7, 9))
        return made.value or b"", list(made.headers)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as serving:
        yield serving


def old() -> bytes:
    return bytes(ONE(id="o-1", price="12.5", part={"name": "wheel"}).SerializeToString())


def is_new(value: bytes) -> bool:
    return bool(TWO.FromString(value) == TWO(id="o-1", total=12.5, part={"name": "wheel"}, currency="EUR"))


async def test_a_message_is_read_by_its_place_in_its_schema_and_written_by_the_newest(fake: FakeRegistry) -> None:
    at = Setting(fake)
    made, headers = await at.output(framed(at.one, SECOND + old()))
    assert made.startswith(framed(at.two, b"\x00"))
    assert is_new(made[6:])
    assert not headers
    assert isinstance(await at.outcome(made), Passed)


async def test_the_first_message_has_a_long_form_of_its_place_too(fake: FakeRegistry) -> None:
    at = Setting(fake)
    current = TWO(id="o-1", total=12.5, part={"name": "wheel"}, currency="EUR").SerializeToString()
    made, _ = await at.output(framed(at.two, b"\x02\x00" + current))
    assert made == framed(at.two, b"\x00" + current)


@pytest.mark.parametrize("writes", ["confluent", "confluent-header"])
async def test_a_header_names_schema_and_message(fake: FakeRegistry, writes: str) -> None:
    at = Setting(fake, writes={**PROTOBUF, "frame": writes})
    header = (CONFLUENT_HEADER, framed(at.one, SECOND))
    made, headers = await at.output(old(), header)
    if writes == "confluent":
        assert is_new(made.removeprefix(framed(at.two, b"\x00")))
        assert headers == []
    else:
        assert is_new(made)
        ((name, value),) = headers
        assert value is not None
        assert (name, value[0], value[17:]) == (CONFLUENT_HEADER, 1, b"\x00")  # a GUID stands between
        assert await at.output(made, *headers) == (made, headers)


APICURIO: dict[str, Any] = {"frame": "apicurio", "format": "protobuf"}
REF = message_class(Schema("protobuf", 'syntax = "proto3"; message Ref { string name = 1; }'))


def ref(name: str) -> bytes:
    """As Apicurio's serialisers write it: a Ref with its length."""
    inner = REF(name=name).SerializeToString()
    return bytes([len(inner)]) + bytes(inner)


@pytest.mark.parametrize(("frame", "size"), [("apicurio", 4), ("apicurio-8", 8)])
async def test_apicurios_frames_name_the_message(fake: FakeRegistry, frame: str, size: int) -> None:
    at = Setting(fake, reads={**APICURIO, "frame": frame}, writes={**APICURIO, "frame": frame})
    made, headers = await at.output(b"\0" + at.one.to_bytes(size, "big") + ref("Order") + old())
    start = b"\0" + at.two.to_bytes(size, "big") + ref("Order")
    assert made.startswith(start)
    assert is_new(made.removeprefix(start))
    assert not headers
    assert isinstance(await at.outcome(made), Passed)
    other = fault(await at.outcome(b"\0" + at.one.to_bytes(size, "big") + ref("Other")))
    assert other.message == "the schema has the shape of no version"


async def test_from_confluents_frame_to_apicurios(fake: FakeRegistry) -> None:
    at = Setting(fake, writes=APICURIO)
    made, _ = await at.output(framed(at.one, SECOND + old()))
    assert is_new(made.removeprefix(framed(at.two, ref("Order"))))


@pytest.mark.parametrize(
    "behind",
    [
        b"",
        b"\x00",
        b"\x05",
        b"\x07\x0a\x05Orde",
        b"\x08\x0a\x05Order\x00",
        b"\x03\x0a\x01\xff",
        b"\xff\xff\xff\xff\x7f",
    ],
)
async def test_what_is_no_ref_is_a_dead_letter(fake: FakeRegistry, behind: bytes) -> None:
    at = Setting(fake, reads=APICURIO)
    found = fault(await at.outcome(framed(at.one, behind)))
    assert (found.stage, found.error_type) == ("decode", "NotFramed")
    assert "does not stand which message" in found.message


async def test_a_name_that_no_message_has_and_apicurios_headers_are_dead_letters(fake: FakeRegistry) -> None:
    """What stands in a value beside the headers differs between Apicurio's releases."""
    at = Setting(fake, reads=APICURIO)
    for name in ("Gone", "shop.Order"):
        found = fault(await at.outcome(framed(at.one, ref(name))))
        assert (found.error_type, "or of the name" in found.message) == ("NotFramed", True)
    found = fault(await at.outcome(ref("Order") + old(), ("apicurio.value.contentId", at.one.to_bytes(8, "big"))))
    assert (found.stage, found.error_type) == ("decode", "NotFramed")


BOX = "message Box { message Order { optional string id = 1; } }"
nested = Chain(
    [Step("order", "1", "2", [default("id", "")], schema=Schema("protobuf", BOX, message="Box.Order"))],
    [Baseline("order", "1")],
)


async def test_a_message_inside_of_another_one_has_no_name_in_apicurios_frame(fake: FakeRegistry) -> None:
    route: dict[str, Any] = {"chain": f"{HERE.partition(':')[0]}:nested", "destination": "nested"}
    at = Setting(fake, **route, reads={"frame": "none"}, writes=APICURIO, version=[{"header": "v"}])
    fake.register("nested-value", BOX, schemaType="PROTOBUF")
    with pytest.raises(WorkerError, match=r"apicurio has the name of a message alone, and Box\.Order stands inside"):
        await at.outcome(b"{}")


@pytest.mark.parametrize("name", ["A", "x" * 125, "x" * 126, "x" * 127, "x" * 128, "ü" * 300])
def test_names_are_read_as_they_are_written_and_cut_at_each_byte(name: str) -> None:
    made = written_ref(name)
    assert ref_at(made + b"\x0a\x00") == (name, len(made))
    for end in range(len(made)):
        assert ref_at(made[:end]) == ("", 0)


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        (b"", "does not stand which message"),
        (b"\x04\x02", "does not stand which message"),
        (b"\x01", "does not stand which message"),
        (b"\xff\xff\xff\xff\x7f", "does not stand which message"),
        (written_indexes((7,)), "no message at the place"),
        (written_indexes((0, 3)), "no message at the place"),
    ],
)
async def test_a_place_that_is_none_is_a_dead_letter(fake: FakeRegistry, behind: bytes, said: str) -> None:
    at = Setting(fake)
    found = fault(await at.outcome(framed(at.one, behind)))
    assert (found.stage, found.error_type) == ("decode", "NotFramed")
    assert said in found.message


async def test_another_message_of_the_schema_is_of_no_version(fake: FakeRegistry) -> None:
    at = Setting(fake)
    found = fault(await at.outcome(framed(at.one, b"\x00\x08\x05")))
    assert (found.stage, found.message) == ("detect", "the schema has the shape of no version")


async def test_an_unknown_id_and_a_schema_of_another_kind_are_dead_letters(fake: FakeRegistry) -> None:
    at = Setting(fake)
    assert fault(await at.outcome(framed(999, b"\x00"))).error_type == "UnknownSchema"
    other = fake.register("old-json", {"type": "object"}, schemaType="JSON")
    assert fault(await at.outcome(framed(other, b"\x00"))).error_type == "WrongSchemaKind"


async def test_a_schema_that_cannot_be_compiled_is_a_dead_letter(fake: FakeRegistry) -> None:
    at = Setting(fake)
    broken = fake.register("old-value", OLD.replace("message Order", "massage Order"), schemaType="PROTOBUF")
    found = fault(await at.outcome(framed(broken, b"\x00")))
    assert found.stage == "decode"
    assert "cannot be compiled" in found.message


async def test_json_becomes_protobuf_and_protobuf_becomes_json(fake: FakeRegistry) -> None:
    at = Setting(fake, reads={"frame": "none"})
    made, _ = await at.output(json.dumps({"id": "o-1", "price": "12.5", "part": {"name": "wheel"}}).encode())
    assert is_new(made.removeprefix(framed(at.two, b"\x00")))
    at = Setting(fake, writes={"frame": "none"})
    made, _ = await at.output(framed(at.one, SECOND + old()))
    assert json.loads(made) == {"id": "o-1", "total": 12.5, "part": {"name": "wheel"}, "currency": "EUR"}


async def test_people_see_json(fake: FakeRegistry) -> None:
    at = Setting(fake)
    event = Event(framed(at.one, SECOND + old()), b"k", [], 7, 9)
    await at.outcome(event.value)
    framing = at.given.framing
    assert framing is not None
    shown = framing.readable(event)
    assert not isinstance(shown, Fault)
    assert json.loads(shown.value or b"") == {"id": "o-1", "price": "12.5", "part": {"name": "wheel"}}
    assert framing.version_of(event) == ("order", "1")
    assert framing.told(event) == f"{at.one} (old-value version 1)"
    found = framing.readable_trace(event, None)
    assert found is not None
    outcome = found[1].outcome
    assert isinstance(outcome, Upcast)
    (made,) = outcome.output(event)
    assert json.loads(made.value or b"")["total"] == 12.5


async def test_a_schema_of_a_file_is_registered(fake: FakeRegistry, tmp_path: Path) -> None:
    file = tmp_path / "order.proto"
    file.write_text('syntax = "proto3"; message Order { string id = 1; double total = 2; string currency = 3; }')
    writes = {**PROTOBUF, "schemas": {"2": str(file)}, "register": True, "subject": "record"}
    at = Setting(fake, reads={"frame": "none"}, writes=writes)
    made, _ = await at.output(b'{"id": "o-1", "price": "1"}')
    assert made[5:] == b"\x00\x0a\x03o-1\x11\x00\x00\x00\x00\x00\x00\xf0\x3f\x1a\x03EUR"


@pytest.mark.parametrize("spoiled", ["order.proto", "part.proto"])
async def test_a_schema_that_is_no_text_is_refused(fake: FakeRegistry, tmp_path: Path, spoiled: str) -> None:
    (tmp_path / "order.proto").write_text('syntax = "proto3"; import "part.proto"; message Order { string id = 1; }')
    (tmp_path / spoiled).write_bytes(b"\xff\xfe")
    writes = {**PROTOBUF, "schemas": {"2": str(tmp_path / "order.proto")}, "register": True}
    at = Setting(fake, reads={"frame": "none"}, writes=writes)
    assert at.given.framing is not None
    with pytest.raises(WorkerError, match=r"writes.schemas: .*order.proto.*: it is no text in UTF-8"):
        await at.given.framing.look()


def test_what_lies_elsewhere_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "chains").mkdir()
    (tmp_path / "secret.proto").write_text("message Secret {}")
    text = f'import "../secret.proto"; import "{tmp_path}/secret.proto";'
    assert imports_of(tmp_path / "chains", text) == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('import "a.proto"; import public "b/c.proto";import weak\n"d.proto" ;', ["a.proto", "b/c.proto", "d.proto"]),
        ("import 'a.proto';", ["a.proto"]),
        ('import/* the first */"a.proto";/* another */import "b.proto";', ["a.proto", "b.proto"]),
        ('// import "a.proto";\n/* import "b.proto";\nimport "c.proto"; */', []),
        ('option go_package = "https://x/*"; import "a.proto"; // */', ["a.proto"]),
        ('message reimport { string import = 1; } option o = "import";', []),
    ],
)
def test_what_a_text_imports(text: str, names: list[str]) -> None:
    assert imported_names(text) == names


MONEY = 'syntax = "proto3"; package shop; import "shop/unit.proto"; message Money { double sum = 1; Unit unit = 2; }'
UNIT = 'syntax = "proto3"; package shop; message Unit { string name = 1; }'
PRICED = (
    'syntax = "proto3"; package shop; import "shop/money.proto"; import "google/protobuf/timestamp.proto";'
    " message Other { int32 x = 1; }"
    " message Order { string id = 1; Money total = 2; string currency = 3; google.protobuf.Timestamp at = 4; }"
)
FILES = (
    Reference("shop/money.proto", Schema("protobuf", MONEY)),
    Reference("shop/unit.proto", Schema("protobuf", UNIT)),
)
priced = Chain(
    [
        Step(
            "order",
            "1",
            "2",
            [nest(["price"], into="total"), rename("total.price", "sum"), default("currency", "EUR")],
            schema=Schema("protobuf", PRICED, FILES, "shop.Order"),
        )
    ],
    [Baseline("order", "1")],
)
UNREAD: dict[str, Any] = {"reads": {"frame": "none"}, "version": [{"header": "v"}]}


@pytest.mark.parametrize("beside", [True, False], ids=["beside the step", "in a file"])
async def test_what_a_schema_imports_is_registered_with_it(fake: FakeRegistry, tmp_path: Path, beside: bool) -> None:
    """Each file under its own name, before what imports it; readers find all of them."""
    route = {"chain": f"{HERE.partition(':')[0]}:priced", "destination": "priced", **UNREAD}
    writes: dict[str, Any] = {**PROTOBUF, "register": True, "subject": "topic-record"}
    if not beside:
        for name, inner in (*FILES, Reference("shop/order.proto", Schema("protobuf", PRICED))):
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(inner.text)
        (tmp_path / "order.proto").write_text(PRICED)
        writes["schemas"] = {"2": str(tmp_path / "order.proto")}
        writes["subject"] = "topic"
    at = Setting(fake, **route, writes=writes)
    assert at.given.framing is not None
    assert await at.given.framing.look() == []
    assert "shop/unit.proto" not in subjects(fake)
    made, _ = await at.output(b'{"id": "o-1", "price": 1.5}', ("v", b"1"))
    subject = "priced-shop.Order" if beside else "priced-value"
    assert {"shop/unit.proto", "shop/money.proto", subject} <= subjects(fake)
    asked = Registry(RegistrySettings(urls=(fake.url,)))
    known = await asked.version(subject)
    assert sorted(known.used) == ["shop/money.proto", "shop/unit.proto"]
    assert known.references == (RawReference("shop/money.proto", "shop/money.proto", 1),)
    assert made.startswith(framed(known.number, SECOND))
    order = message_class(Schema("protobuf", PRICED, FILES, "shop.Order"))
    assert order.FromString(made[5 + len(SECOND) :]) == order(id="o-1", total={"sum": 1.5}, currency="EUR")


def subjects(fake: FakeRegistry) -> set[str]:
    return {name for each in fake._schemas for name, _ in each.places}


async def test_imports_that_cannot_be_told_leave_the_newest_schema(fake: FakeRegistry) -> None:
    """Of compiled files nobody can tell what they import, and without ``register`` where that is registered."""
    references = [{"name": "shop/part.proto", "subject": "shop/part.proto", "version": 1}]
    route = {"chain": f"{HERE.partition(':')[0]}:priced", "destination": "priced", **UNREAD}
    at = Setting(fake, **route, writes=PROTOBUF)
    text = PRICED.replace("Money total", "Cash total").replace("shop/money.proto", "shop/part.proto")
    text += " message Cash { double sum = 1; }"
    number = fake.register("priced-value", text, schemaType="PROTOBUF", references=references)
    made, _ = await at.output(b'{"id": "o-1", "price": 1.5}', ("v", b"1"))
    assert made.startswith(framed(number, SECOND))


@pytest.mark.parametrize(
    ("files", "order"),
    [
        ({"a": 'import "b";', "b": 'import public "c";', "c": ""}, ["c", "b", "a"]),
        ({"a": 'import "b"; import "google/x.proto";', "b": 'import "a";'}, ["b", "a"]),
    ],
)
def test_files_stand_behind_what_they_import(files: dict[str, str], order: list[str]) -> None:
    assert in_order(files) == order


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=8).map(tuple), st.binary(max_size=9))
def test_places_are_read_as_they_are_written(place: tuple[int, ...], behind: bytes) -> None:
    made = written_indexes(place)
    assert indexes_at(made + behind) == (place, len(made))
    for end in range(len(made)):
        assert indexes_at(made[:end]) == ((0,), 0)


@pytest.mark.parametrize("side", ["reads", "writes"])
def test_a_frame_that_may_not_name_the_message_is_refused(side: str) -> None:
    given = {"source": "a", "destination": "b", side: {"frame": "apicurio-header", "format": "protobuf"}}
    with pytest.raises(ValidationError, match="format: protobuf beside Apicurio's headers differs"):
        RouteSettings.model_validate(given)
