"""Records in Avro through a route: read by the schema that their frame names, written by that of their target; and from
JSON to Avro and back."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ValidationError

from tests.registries.fake import FakeRegistry
from tests.unit.schemas.test_framed import fault, framed
from upcasters import Baseline, Chain, Step, add, convert, default, drop, function, move, present, rename, split_each
from upcasters.event import Event, Header, SourcePartition
from upcasters.formats import Schema
from upcasters.outcome import Outcome, Passed, Skipped, Upcast
from worker.api.bounded_thread import BoundedThread
from worker.api.problems import answer_with_problems
from worker.api.v2.chain import add_chain
from worker.api.v2.upcasting import add_upcast
from worker.errors import WorkerError
from worker.replay.plan.data_loss import Loss
from worker.replay.plan.loss_values import values_of
from worker.replay.plan.samples import Sample
from worker.routes.chains import RouteChain, load_route_chain
from worker.schemas.registry import RegistryError
from worker.settings import RouteSettings
from worker.settings.schemas import RegistrySettings

PLACE = SourcePartition("old", 0)
EUROS = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
AVRO = {"frame": "confluent", "format": "avro"}
HERE = "tests.unit.schemas.test_by_schema:chain"

chain = Chain(
    [
        Step("order", "1", "2", [convert("price", Decimal, str), rename("price", "total")], shape=present("total")),
        Step("order", "2", "3", [default("currency", "EUR")], shape=present("total", "currency")),
    ],
    [Baseline("order", "1", shape=present("price"))],
)


def record(name: str = "Order", **fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": key, "type": kind} for key, kind in fields.items()]}


ONE = record(id="string", price="string", note=["null", "string"])
TWO = record(id="string", total=EUROS, note=["null", "string"])
THREE = record(id="string", total=EUROS, note=["null", "string"], currency="string")


def engine_schema(schema: dict[str, Any]) -> Schema:
    return Schema("avro", json.dumps(schema))


def avro(schema: dict[str, Any], value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def of_avro(schema: dict[str, Any], value: bytes | None) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(value or b""), fastavro.parse_schema(schema), None)


class Setting:
    """A route from Avro to Avro on a registry of its own, with the schemas of all three versions."""

    def __init__(self, fake: FakeRegistry, **route: Any) -> None:
        self.fake = fake
        settings = {"source": "old", "destination": "new", "chain": HERE, "reads": AVRO, "writes": AVRO}
        self.route = RouteSettings.model_validate({**settings, **route})
        self.given: RouteChain = load_route_chain(self.route, RegistrySettings(urls=(fake.url,), unknown_for=0.001))
        self.one, self.two = (self.register("old-value", schema) for schema in (ONE, TWO))
        self.three = self.register("new-value", THREE)

    def register(self, subject: str, schema: Any, **more: Any) -> int:
        return self.fake.register(subject, schema, schemaType="AVRO", **more)

    async def outcome(self, value: bytes | None, *headers: Header) -> Outcome:
        event = Event(value, b"k", list(headers), 7, 9)
        await self.given.begin()
        await self.given.learn([event])
        first = self.given.upcaster.upcast(event, PLACE)
        again = self.given.upcaster.upcast(event, PLACE)
        assert again == first, "the first record of a schema goes another way than those behind it"
        plainly = self.given.built(step_by_step=True).upcast(event, PLACE)
        assert _same(plainly, event) == _same(again, event), "step by step it becomes something else"
        return again

    async def output(self, value: bytes, *headers: Header) -> tuple[bytes | None, Sequence[Header]]:
        outcome = await self.outcome(value, *headers)
        assert isinstance(outcome, Upcast | Passed), outcome
        (made,) = outcome.output(Event(value, b"k", list(headers), 7, 9))
        assert made.key == b"k"
        return made.value, list(made.headers)


def _same(outcome: Outcome, event: Event) -> Any:
    if not isinstance(outcome, Upcast):
        return outcome
    return outcome.passage, [(each.value, each.key, list(each.headers)) for each in outcome.output(event)]


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as serving:
        yield serving


OLD = {"id": "o-1", "price": "12.50", "note": "hi"}
NEW = {"id": "o-1", "total": Decimal("12.50"), "note": "hi", "currency": "EUR"}


async def test_each_version_is_read_by_its_own_schema_and_written_by_the_newest(fake: FakeRegistry) -> None:
    at = Setting(fake)
    made = framed(at.three, avro(THREE, NEW))
    assert await at.output(framed(at.one, avro(ONE, OLD))) == (made, [])
    middle = {"id": "o-1", "total": Decimal("12.50"), "note": "hi"}
    assert await at.output(framed(at.two, avro(TWO, middle))) == (made, [])
    assert isinstance(await at.outcome(made), Passed)


async def test_a_schema_of_another_id_and_the_same_shape_is_written_anew(fake: FakeRegistry) -> None:
    at = Setting(fake)
    other = at.register("old-value", {**THREE, "doc": "the same, with a word on it"})
    assert other != at.three
    outcome = await at.outcome(framed(other, avro(THREE, NEW)))
    assert isinstance(outcome, Upcast)
    assert outcome.new_value == framed(at.three, avro(THREE, NEW))


async def test_the_schema_may_tell_the_version_by_its_place_property_or_text(fake: FakeRegistry) -> None:
    by_number = Setting(fake, version=[{"schema": {"number": {1: "1", 2: "2"}}}])
    assert isinstance(await by_number.outcome(framed(by_number.one, avro(ONE, OLD))), Upcast)
    third = by_number.register("old-value", {**ONE, "x-version": "1"}, metadata={"properties": {"chain": "v1"}})
    for rule in ({"schema": {"field": "x-version"}}, {"schema": {"property": "chain"}, "pattern": "^v(.)$"}):
        outcome = await Setting(fake, version=[rule]).outcome(framed(third, avro(ONE, OLD)))
        assert isinstance(outcome, Upcast)
        assert (outcome.passage.from_version, outcome.passage.to_version) == ("1", "3")


async def test_a_version_that_the_chain_does_not_know_goes_by_the_policy(fake: FakeRegistry) -> None:
    at = Setting(fake, version=[{"schema": {"field": "x-version"}}], unknown_type="skip")
    newer = at.register("old-value", {**THREE, "x-version": "9"})
    by_name = Setting(fake, event_type=[{"schema": {"field": "name"}}], unknown_type="skip")
    assert isinstance(await by_name.outcome(framed(newer, avro(THREE, NEW))), Skipped)
    at = Setting(fake, version=[{"schema": {"field": "x-version"}}], future_version="pass")
    assert isinstance(await at.outcome(framed(newer, avro(THREE, NEW))), Passed)
    at = Setting(fake, version=[{"schema": {"field": "x-version"}}])
    assert fault(await at.outcome(framed(newer, avro(THREE, NEW)))).error_type == "FutureVersion"


async def test_a_rule_that_reads_the_event_goes_before_the_schema_of_the_target(fake: FakeRegistry) -> None:
    any_fields = record(values={"type": "map", "values": "string"})
    at = Setting(fake, version=[{"header": "v"}], chain="tests.unit.schemas.test_by_schema:loose")
    same = at.register("new-value", any_fields)
    value = framed(same, avro(any_fields, {"values": {}}))
    assert await at.output(value, ("v", b"1")) == (
        framed(same, avro(any_fields, {"values": {"unit": "EUR"}})),
        [("v", b"2")],
    )
    assert isinstance(await at.outcome(value, ("v", b"2")), Passed)


loose = Chain([Step("order", "1", "2", [add("values.unit", "EUR")])], [Baseline("order", "1")])


async def test_a_header_that_names_the_schema_is_never_copied(fake: FakeRegistry) -> None:
    at = Setting(fake)
    stale: Header = ("__value_schema_id", framed(at.one, b""))
    trace, foreign = ("trace", b"x"), ("apicurio.value.globalId", bytes(8))
    made = framed(at.three, avro(THREE, NEW))
    assert await at.output(avro(ONE, OLD), stale, trace) == (made, [trace])
    assert await at.output(framed(at.one, avro(ONE, OLD)), foreign, trace) == (made, [trace])
    assert await at.output(made, foreign, trace) == (made, [trace])
    assert isinstance(await at.outcome(None, stale), Passed)


async def test_results_behind_a_header_hold_their_own_guid(fake: FakeRegistry) -> None:
    at = Setting(fake, writes={"frame": "confluent-header", "format": "avro"})
    guid = bytes.fromhex(fake.guid_of(at.three).replace("-", ""))
    header: Header = ("__value_schema_id", b"\1" + guid)
    made = avro(THREE, NEW)
    assert await at.output(framed(at.one, avro(ONE, OLD)), ("trace", b"x")) == (made, [("trace", b"x"), header])
    assert isinstance(await at.outcome(made, header), Passed)


with_schema = Chain(
    [Step("order", "1", "2", [default("n", 0)], schema=engine_schema(record(id="string", n="long")))],
    [Baseline("order", "1", schema=engine_schema(record(id="string")))],
)


class Order(BaseModel):
    id: str
    gone: int = 0


modelled = Chain([Step("order", "1", "2", [default("gone", 0)], model=Order)], [Baseline("order", "1")])


@pytest.mark.parametrize(
    ("chain", "doubts"),
    [
        (
            "with_schema",
            [
                "n is int, and long in the schema beside the step",
                "the schema has more, which the one beside the step does not have",
            ],
        ),
        (
            "modelled",
            [
                "the schema requires more, which the model does not have",
                "the schema requires n, which the model does not have",
                "the schema has no gone, which the model has",
            ],
        ),
    ],
)
@pytest.mark.parametrize("register", [False, True])
async def test_before_a_start_it_is_told_what_of_the_targets_schema_differs(
    fake: FakeRegistry, tmp_path: Path, chain: str, doubts: list[str], register: bool
) -> None:
    file = tmp_path / "order-2.avsc"
    file.write_text(json.dumps(record(id="string", n="int", more="string")))
    writes = {**AVRO, "schemas": {"2": str(file)}, "register": register}
    at = Setting(fake, chain=f"tests.unit.schemas.test_by_schema:{chain}", version=[{"header": "v"}], writes=writes)
    assert at.given.framing is not None
    if not register:
        with pytest.raises(WorkerError, match="the schema of version 2 is not registered there"):
            await at.given.framing.look()
        at.register("new-value", json.loads(file.read_text()))
    assert await at.given.framing.look() == [f"new-value: {line} (version 2)" for line in doubts]


async def test_schemas_that_refer_to_others_are_read_with_them(fake: FakeRegistry) -> None:
    at = Setting(fake)
    fake.register("euros", {"type": "fixed", "name": "Euros", "size": 4}, schemaType="AVRO")
    reference = {"name": "Euros", "subject": "euros", "version": 1}
    schema = record(id="string", price="string", note=["null", "string"], paid="Euros")
    number = at.register("old-value", schema, references=[reference])
    whole = record(
        id="string", price="string", note=["null", "string"], paid={"type": "fixed", "name": "Euros", "size": 4}
    )
    found = fault(await at.outcome(framed(number, avro(whole, {**OLD, "paid": b"1234"}))))
    assert (found.stage, found.path) == ("validate", "paid"), "it was read; the target has no such field"
    lost = at.register("old-value", schema, references=[{**reference, "subject": "nowhere"}])
    found = fault(await at.outcome(framed(lost, avro(whole, {**OLD, "paid": b"1234"}))))
    assert found.stage == "decode"
    assert "Euros" in found.message


@pytest.mark.parametrize(
    ("value", "stage", "error"),
    [
        (b"o-1", "decode", "NotFramed"),
        (framed(99, b""), "decode", "UnknownSchema"),
        (framed(1, b"\x06o-1"), "decode", "DecodeError"),
        (framed(1, b"\xff" * 40), "decode", "DecodeError"),
        (framed(1, avro(ONE, {**OLD, "price": "12,50"})), "upcast", "FunctionFailed"),
        (framed(1, avro(ONE, {**OLD, "price": "12.505"})), "validate", ""),
        (framed(1, avro(ONE, OLD) + b"\0"), "decode", "DecodeError"),
    ],
)
async def test_what_cannot_be_read_or_written_is_a_dead_letter(
    fake: FakeRegistry, value: bytes, stage: str, error: str
) -> None:
    found = fault(await Setting(fake).outcome(value))
    assert (found.stage, error in found.error_type) == (stage, True), found


async def test_a_schema_of_another_kind_is_a_dead_letter(fake: FakeRegistry) -> None:
    at = Setting(fake)
    found = fault(await at.outcome(framed(fake.register("old-value", {"title": "order"}), b"{}")))
    assert (found.error_type, "is of kind JSON, and reads.format" in found.message) == ("WrongSchemaKind", True)


async def test_a_schema_of_no_version_is_a_dead_letter_that_says_so(fake: FakeRegistry) -> None:
    at = Setting(fake)
    other = at.register("old-value", record(id="string"))
    found = fault(await at.outcome(framed(other, b"\x02x")))
    assert (found.stage, found.message) == ("detect", "the schema has the shape of no version")


async def test_an_id_is_asked_again_when_it_was_registered(fake: FakeRegistry) -> None:
    at = Setting(fake)
    value = framed(at.three + 1, avro(ONE, OLD))
    assert fault(await at.outcome(value)).error_type == "UnknownSchema"
    assert at.register("old-value", {**ONE, "doc": "late"}) == at.three + 1
    while not isinstance(await at.outcome(value), Upcast):
        pass


async def test_a_registry_that_is_down_is_no_fault_of_a_record(fake: FakeRegistry) -> None:
    at = Setting(fake)
    await at.given.begin()
    fake.stop()
    assert at.given.framing is not None
    with pytest.raises(RegistryError, match="does not answer"):
        await at.given.framing.learn([Event(framed(at.one, avro(ONE, OLD)))])


async def test_nothing_is_asked_in_the_loop_and_one_schema_is_made_once(fake: FakeRegistry) -> None:
    at = Setting(fake)
    value = framed(at.one, avro(ONE, OLD))
    await at.outcome(value)
    asked = list(fake.asked)
    for _ in range(100):
        assert isinstance(await at.outcome(value), Upcast)
    assert fake.asked == asked


# From one format to another.


async def test_json_becomes_avro(fake: FakeRegistry) -> None:
    at = Setting(fake, reads={"frame": "none"})
    made = framed(at.three, avro(THREE, NEW))
    assert await at.output(json.dumps(OLD).encode(), ("trace", b"x")) == (made, [("trace", b"x")])
    current = {**NEW, "total": 12.5}
    outcome = await at.outcome(json.dumps(current).encode())
    assert isinstance(outcome, Upcast), "what is current is written anew"
    assert outcome.new_value == made


async def test_framed_json_becomes_avro_and_its_schema_may_tell_the_version(fake: FakeRegistry) -> None:
    at = Setting(fake, reads={"frame": "confluent"}, version=[{"schema": {"field": "x-version"}}])
    number = fake.register("old-value", {"x-version": "1"})
    assert await at.output(framed(number, json.dumps(OLD).encode())) == (framed(at.three, avro(THREE, NEW)), [])


@pytest.mark.parametrize("frame", ["none", "confluent"])
async def test_avro_becomes_json(fake: FakeRegistry, frame: str) -> None:
    number = fake.register("plain-value", {"title": "Order"})
    prefix = b"" if frame == "none" else framed(number, b"")
    at = Setting(fake, writes={"frame": frame}, destination="plain")
    made = b'{"id":"o-1","note":"hi","total":12.50,"currency":"EUR"}'
    value, headers = await at.output(avro(ONE, OLD), ("__value_schema_id", framed(at.one, b"")))
    assert (json.loads((value or b"")[len(prefix) :]), headers) == (json.loads(made), [])
    assert (value or b"").startswith(prefix)
    assert b"12.50" in (value or b""), "not a digit is lost"


@pytest.mark.parametrize("text", ["1e400", "9223372036854775808", "NaN", '"abc"'])
async def test_what_has_no_form_in_avro_is_a_dead_letter(fake: FakeRegistry, text: str) -> None:
    at = Setting(fake, reads={"frame": "none"}, version=[{"default": "2"}], chain=f"{HERE[:-5]}numbers")
    at.register("new-value", record(number="long"))
    found = fault(await at.outcome(b'{"number": %s}' % text.encode()))
    assert found.stage in {"decode", "validate"}
    assert text not in found.message


numbers = Chain([Step("order", "1", "2", [rename("n", "number")])], [Baseline("order", "1")])


async def test_what_has_no_form_in_json_is_a_dead_letter(fake: FakeRegistry) -> None:
    at = Setting(fake, writes={"frame": "none"}, version=[{"default": "1"}], chain=f"{HERE[:-5]}numbers")
    for kind, value in (
        ("bytes", b"x"),
        ("double", float("nan")),
        ({"type": "int", "logicalType": "date"}, dt.date.max),
    ):
        schema = record(n=kind)
        found = fault(await at.outcome(framed(at.register("old-value", schema), avro(schema, {"n": value}))))
        assert (found.stage, found.path) == ("encode", "number")


@pytest.mark.parametrize("policy", ["unknown_type", "future_version"])
def test_nothing_of_one_format_may_pass_into_the_other(policy: str) -> None:
    given = {"source": "a", "destination": "b", "reads": {"frame": "confluent"}, "writes": AVRO}
    with pytest.raises(ValidationError, match=f"{policy}: pass would bring values with the format json into b, whose"):
        RouteSettings.model_validate({**given, policy: "pass"})
    with pytest.raises(ValidationError, match="format: avro needs the schema of each value, and frame is none"):
        RouteSettings.model_validate({**given, "reads": {"format": "avro"}})


# What splits, and what is dropped.

parts = Chain(
    [
        Step("basket", "1", "2", [split_each("lines", into="line", item="line", version="1")], lossy="lines go alone"),
        Step("line", "1", "2", [move("line.sku", "sku"), drop("line")], lossy="the rest of a line is gone"),
    ],
    [Baseline("basket", "1"), Baseline("line", "1")],
)


async def test_each_part_of_an_event_is_written_by_the_schema_of_its_type(fake: FakeRegistry, tmp_path: Path) -> None:
    item = record("Item", sku="string", paid="boolean")
    basket = record("Basket", id="string", lines={"type": "array", "items": item})
    file = tmp_path / "line.avsc"
    file.write_text(json.dumps(record("Line", id="string", sku="string")))
    at = Setting(
        fake,
        chain=f"{HERE[:-5]}parts",
        event_type="basket",
        version=[{"default": "1"}],
        writes={**AVRO, "subject": "record", "schemas": {"line/2": str(file)}, "register": True},
    )
    number = at.register("old-value", basket)
    value = avro(basket, {"id": "b-1", "lines": [{"sku": "a", "paid": True}, {"sku": "b", "paid": False}]})
    outcome = await at.outcome(framed(number, value))
    assert isinstance(outcome, Upcast), outcome
    line = at.register("Line", file.read_text())
    made = [record.value for record in outcome.new_records or ()]
    assert made == [framed(line, b"\x06b-1\x02a"), framed(line, b"\x06b-1\x02b")]


# What the start finds, and refuses.


async def test_the_files_schema_is_registered_under_the_records_name(fake: FakeRegistry, tmp_path: Path) -> None:
    file = tmp_path / "order-3.avsc"
    file.write_text(json.dumps({**THREE, "namespace": "shop", "doc": "of a file"}))
    writes = {**AVRO, "subject": "record", "schemas": {"3": str(file)}}
    with pytest.raises(WorkerError, match=r"shop\.Order: the schema of version 3 is not registered there"):
        await Setting(fake, writes=writes).given.begin()
    at = Setting(fake, writes={**writes, "register": True})
    assert at.given.framing is not None
    assert await at.given.framing.look() == []
    assert "POST /subjects/shop.Order/versions" not in fake.asked
    value, _ = await at.output(framed(at.one, avro(ONE, OLD)))
    assert (value or b"")[5:] == avro(THREE, NEW)
    assert fake.asked.count("POST /subjects/shop.Order/versions") == 1
    fake.refused.add("shop.Order")
    assert await at.given.framing.look() == ["shop.Order: readers of the schema before may not take that of version 3"]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "record", "name": "Order", "fields": [{"name": "id", "type": "nothing"}]}, "cannot be parsed"),
        ({"title": "Order"}, "cannot be parsed"),
    ],
)
async def test_a_schema_that_cannot_be_used_is_refused_at_the_start(
    fake: FakeRegistry, schema: dict[str, Any], told: str
) -> None:
    at = Setting(fake)
    at.register("new-value", schema)
    with pytest.raises(WorkerError, match=told):
        await at.given.begin()


async def test_a_subject_of_another_kind_and_a_version_without_schema_are_refused(fake: FakeRegistry) -> None:
    at = Setting(fake)
    fake.register("new-value", {"title": "Order"})
    with pytest.raises(WorkerError, match=r"its schema is of kind JSON, and writes\.format is avro"):
        await at.given.begin()
    with pytest.raises(WorkerError, match="version 3 has no schema to register: name a file"):
        await Setting(fake, writes={**AVRO, "register": True}).given.begin()


# Whoever looks.


async def test_whoever_looks_sees_json_and_registers_nothing(fake: FakeRegistry, tmp_path: Path) -> None:
    file = tmp_path / "order-3.avsc"
    file.write_text(json.dumps({**THREE, "doc": "of a file"}))
    at = Setting(fake, writes={**AVRO, "schemas": {"3": str(file)}, "register": True})
    event = Event(framed(at.one, avro(ONE, OLD)), b"k", [("trace", b"x")], 7, 9)
    await at.given.begin_to_show()
    await at.given.learn([event])
    shown, trace = at.given.trace(event, None)
    assert json.loads(shown.value or b"") == OLD
    assert [hop.hop.id for hop in trace.hops] == ["order:1->2", "order:2->3"]
    (made,) = trace.outcome.output(shown)
    assert (json.loads(made.value or b""), list(made.headers)) == ({**NEW, "total": 12.5}, [("trace", b"x")])
    assert at.given.framing is not None
    assert at.given.framing.version_of(event) == ("order", "1")
    assert at.given.framing.told(event) == f"{at.one} (old-value version 1)"
    assert not any(asked.endswith("versions") and asked.startswith("POST") for asked in fake.asked)
    await at.given.begin()
    outcome = at.given.upcaster.upcast(event)
    assert isinstance(outcome, Upcast)
    assert (outcome.new_value or b"")[:5] == framed(
        fake.register("new-value", file.read_text(), schemaType="AVRO"), b""
    )


async def test_a_plan_finds_what_is_lost_of_any_type(fake: FakeRegistry) -> None:
    """A field that no operation names and the schema of the target does not have would end the event; what a function
    throws away is found by values that differ in nothing else."""
    at = Setting(fake, version=[{"default": "1"}], chain=f"{HERE[:-5]}lossy")
    day = {"type": "int", "logicalType": "date"}
    old = record(at=day, price=EUROS, code="bytes", kept="string", gone="long")
    at.register("new-value", record(at=day, price="string", code="bytes", kept="string"))
    number = at.register("old-value", old)
    value = {"at": dt.date(2026, 1, 2), "price": Decimal("1.25"), "code": b"ab", "kept": "x", "gone": 1}
    event = Event(framed(number, avro(old, value)), b"k", [], 7, 9)
    await at.given.begin()
    await at.given.learn([event])
    outcome = at.given.upcaster.upcast(event, PLACE)
    assert isinstance(outcome, Upcast), outcome
    loss = Loss(chain=lossy, policy=at.route.policy(), coordinates=2, values=values_of(at.given))
    report = loss.look([Sample(event, PLACE, outcome)])
    assert (report.compared, [each.path for each in report.lost]) == (1, ["at", "code"])


lossy = Chain(
    [
        Step(
            "order",
            "1",
            "2",
            [
                function(lambda it: {"at": it["at"].replace(day=1)}, reads=["at"], writes=["at"]),
                convert("price", str, Decimal),
                function(lambda it: {"code": it["code"][:1]}, reads=["code"], writes=["code"]),
                drop("gone"),
            ],
            lossy="it is what is tried here",
        )
    ],
    [Baseline("order", "1")],
)


async def test_a_preview_takes_values_in_base64_and_shows_json(fake: FakeRegistry) -> None:
    at = Setting(fake)
    router = APIRouter()
    add_upcast(router, {"old": at.given}, BoundedThread())
    app = FastAPI()
    app.include_router(router)
    answer_with_problems(app)

    async def ask(value: Any, **more: Any) -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            told = await client.post("/upcast", json={"events": [{"value": value}], "trace": True, **more})
        return told.json()

    value = base64.b64encode(framed(at.one, avro(ONE, OLD))).decode()
    (told,) = (await ask(value))["events"]
    assert [each["value"] for each in told["records"]] == [{**NEW, "total": 12.5}]
    assert [each["before"]["price"] for each in told["trace"][:1]] == ["12.50"]
    for wrong in (OLD, "no base64!"):
        assert "give each in base64, with its frame" in (await ask(wrong))["detail"]
    assert "leave out target" in (await ask(value, target="2"))["detail"]
    assert (await ask(None))["events"][0]["reason"] == "tombstone"
    assert (await ask(base64.b64encode(b"o-1").decode()))["events"][0]["fault"]["error_type"] == "NotFramed"
    fake.stop()
    late = base64.b64encode(framed(at.three + 1, b"")).decode()
    assert "does not answer" in (await ask(late))["detail"]


async def test_the_mapping_table_that_the_page_draws_shows_what_changes_between_schemas(fake: FakeRegistry) -> None:
    at = Setting(fake, chain=f"{HERE.partition(':')[0]}:with_schema", version=[{"header": "v"}])
    router = APIRouter()
    add_chain(router, {"old": at.given}, BoundedThread())
    app = FastAPI()
    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        (hop,) = (await client.get("/chain/mapping")).json()["hops"]
    assert hop["fields"] == [{"path": "n", "before": "", "after": "long"}]


beside = Chain(
    [
        Step("order", "1", "2", [convert("price", Decimal, str), rename("price", "total")], schema=engine_schema(TWO)),
        Step("order", "2", "3", [default("currency", "EUR")], schema=engine_schema({**THREE, "doc": "beside"})),
    ],
    [Baseline("order", "1", schema=engine_schema(ONE))],
)


async def test_schemas_beside_steps_need_no_rule_and_no_file(fake: FakeRegistry) -> None:
    """They tell the version, and results are written by them."""
    named = {"chain": f"{HERE[:-5]}beside", "destination": "beside"}
    with pytest.raises(WorkerError, match="beside-value: the schema of version 3 is not registered there"):
        await Setting(fake, **named).given.begin()
    at = Setting(fake, **named, writes={**AVRO, "register": True})
    value, _ = await at.output(framed(at.one, avro(ONE, OLD)))
    assert (value or b"")[5:] == avro(THREE, NEW)
    number = at.register("beside-value", json.dumps({**THREE, "doc": "beside"}))
    assert (value or b"")[:5] == framed(number, b"")
    assert isinstance(await at.outcome(value), Passed)
    stranger = at.register("old-value", record(id="string"))
    assert fault(await at.outcome(framed(stranger, b"\x02x"))).stage == "detect"


of_json = Chain(
    [Step("order", "1", "2", [rename("amt", "amount")], schema=Schema("json", '{"title": "Order", "x": 2}'))],
    [Baseline("order", "1", schema=Schema("json", '{"title": "Order", "x": 1}'))],
)


async def test_json_schemas_beside_steps_tell_the_version_of_framed_json(fake: FakeRegistry) -> None:
    plain = {"frame": "confluent"}
    at = Setting(fake, chain=f"{HERE[:-5]}of_json", destination="json", reads=plain, writes={**plain, "register": True})
    old = fake.register("old-value", {"x": 1, "title": "Order"})
    value, _ = await at.output(framed(old, b'{"amt": 1}'))
    new = fake.register("json-value", '{"title": "Order", "x": 2}')
    assert value == framed(new, b'{"amount":1}')
    assert isinstance(await at.outcome(value), Passed)
    unknown = fake.register("old-value", {"x": 3})
    assert fault(await at.outcome(framed(unknown, b"{}"))).stage == "detect"
