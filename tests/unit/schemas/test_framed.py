"""Framed records through a chain: frames come off and go on, what is current is written anew only where it has to be,
and nothing else of a record changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.registries.fake import FakeRegistry
from upcasters import Baseline, Chain, Step, add, equals, present, rename, tombstone, when
from upcasters.event import Event, Header
from upcasters.outcome import DeadLettered, Fault, Outcome, Passed, Skipped, Upcast
from worker.errors import WorkerError
from worker.routes.chains import RouteChain, load_route_chain
from worker.schemas.framing import NotLearntError
from worker.schemas.registry import RegistryError
from worker.settings import RouteSettings
from worker.settings.schemas import RegistrySettings

chain = Chain(
    [Step("order", "1", "2", [rename("amt", "amount")]), Step("order", "2", "3", [add("unit", "EUR")])],
    [Baseline("order", "1", shape=present("amt"))],
)
HERE = "tests.unit.schemas.test_framed:chain"
BY_FIELD = {"version": [{"schema": {"field": "x-version"}}]}
ONE, THREE = b'{"amt": 1.50}', b'{"amount": 1.50,"unit":"EUR"}'
BROUGHT = b'{"amount":1.50,"unit":"EUR"}'
CONFLUENT = {"frame": "confluent"}


class Setting:
    """A route between topics with frames, on a registry of its own. Its ids: 1 is version 1, 2 is version 3."""

    def __init__(self, fake: FakeRegistry, **route: Any) -> None:
        self.fake = fake
        settings = {"source": "old", "destination": "new", "chain": HERE, "reads": CONFLUENT, "writes": CONFLUENT}
        self.route = RouteSettings.model_validate({**settings, **BY_FIELD, **route})
        self.given: RouteChain = load_route_chain(self.route, RegistrySettings(urls=(fake.url,)))
        self.old = fake.register("old-value", {"title": "order", "x-version": "1"})
        self.new = fake.register("new-value", {"title": "order", "x-version": "3"})

    async def outcome(self, value: bytes | None, *headers: Header, key: bytes | None = b"k") -> Outcome:
        event = Event(value, key, list(headers), 7, 9)
        await self.given.begin()
        await self.given.learn([event])
        first = self.given.upcaster.upcast(event)
        again = self.given.upcaster.upcast(event)
        assert again == first, "the first record of a schema goes another way than those behind it"
        return again

    async def output(self, value: bytes, *headers: Header) -> tuple[bytes | None, Sequence[Header]]:
        made = (await self.outcome(value, *headers)).output(Event(value, b"k", list(headers), 7, 9))
        assert len(made) == 1
        assert made[0].key == b"k"
        return made[0].value, list(made[0].headers)


@pytest.fixture
def fake() -> Any:
    with FakeRegistry() as serving:
        yield serving


def framed(number: int, value: bytes) -> bytes:
    return b"\0" + number.to_bytes(4, "big") + value


def fault(outcome: Outcome) -> Fault:
    assert isinstance(outcome, DeadLettered)
    return outcome.fault


async def test_an_old_value_comes_out_behind_the_id_of_the_targets_schema(fake: FakeRegistry) -> None:
    at = Setting(fake)
    outcome = await at.outcome(framed(at.old, ONE))
    assert isinstance(outcome, Upcast)
    assert (outcome.new_value, outcome.new_records) == (framed(at.new, BROUGHT), None)
    assert (outcome.passage.from_version, outcome.passage.to_version) == ("1", "3")


async def test_what_is_current_passes_with_the_same_id_and_is_written_again_with_another(fake: FakeRegistry) -> None:
    at = Setting(fake)
    assert isinstance(await at.outcome(framed(at.new, THREE)), Passed)
    another = fake.register("old-value", {"title": "order", "x-version": "3", "description": "another id"})
    outcome = await at.outcome(framed(another, THREE))
    assert isinstance(outcome, Upcast)
    assert outcome.new_value == framed(at.new, THREE), "not a byte of the value is another one"


@pytest.mark.parametrize(
    ("reads", "writes", "prefix", "headers"),
    [
        ("confluent", "none", b"", []),
        ("none", "confluent", b"\0\0\0\0\2", []),
        ("confluent", "apicurio-8", b"\0" + bytes(7) + b"\2", []),
        ("apicurio", "apicurio-header", b"", [("apicurio.value.contentId", bytes(7) + b"\2")]),
    ],
)
async def test_from_one_frame_to_another(
    fake: FakeRegistry, reads: str, writes: str, prefix: bytes, headers: list[Header]
) -> None:
    rule = {"version": [{"header": "v"}]} if reads == "none" else {}
    at = Setting(fake, reads={"frame": reads}, writes={"frame": writes}, **rule)
    for number, version, value, made in ((1, b"1", ONE, BROUGHT), (2, b"3", THREE, THREE)):
        sent = value if reads == "none" else framed(number, value)
        own: list[Header] = [("v", version)] if reads == "none" else []
        outcome = await at.outcome(sent, *own)
        assert isinstance(outcome, Upcast), "also what is current"
        (record,) = outcome.output(Event(sent, b"k", own))
        assert record.value == prefix + made
        assert list(record.headers) == [*([("v", b"3")] if own else []), *headers]


async def test_a_header_that_names_the_schema_is_never_copied(fake: FakeRegistry) -> None:
    at = Setting(fake)
    stale: Header = ("__value_schema_id", framed(at.old, b""))
    trace: Header = ("trace", b"x")
    assert await at.output(ONE, stale, trace) == (framed(at.new, BROUGHT), [trace])
    current: Header = ("__value_schema_id", framed(at.new, b""))
    assert await at.output(THREE, trace, current) == (framed(at.new, THREE), [trace])


@pytest.mark.parametrize("values", ["json", "avro"])
async def test_ids_that_headers_say_in_ever_new_ways_are_not_collected(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch, values: str
) -> None:
    """Whoever may write to the topic may put anything behind an id."""
    for module in ("framed", "by_schema", "framing"):
        monkeypatch.setattr(f"worker.schemas.{module}.MOST_MARKS", 10)
    at = Setting(fake, writes={"frame": "none"})
    if values == "avro":
        at = Setting(fake, **{key: {**CONFLUENT, "format": "avro"} for key in ("reads", "writes")})
        text = {"type": "record", "name": "Order", "x-version": "3", "fields": [{"name": "amount", "type": "int"}]}
        at.new = fake.register("new-value", text, schemaType="AVRO")
    value = b"\2" if values == "avro" else THREE
    framing, upcaster = at.given.framing, at.given.upcaster
    assert framing is not None
    for number in range(40):
        header: Header = ("__value_schema_id", framed(at.new, b"tail %d" % number))
        outcome = await at.outcome(value, header)
        assert isinstance(outcome, Upcast | Passed), outcome
        assert len(framing._settled) <= 10
        assert len(upcaster._ways) <= 10  # type: ignore[attr-defined]  # what only this kind of upcaster has


async def test_a_header_of_the_destination_holds_the_new_guid(fake: FakeRegistry) -> None:
    at = Setting(fake, writes={"frame": "confluent-header"})
    guid = bytes.fromhex(fake.guid_of(at.new).replace("-", ""))
    header: Header = ("__value_schema_id", b"\1" + guid)
    assert await at.output(framed(at.old, ONE), ("trace", b"x")) == (BROUGHT, [("trace", b"x"), header])
    assert isinstance(await at.outcome(THREE, header), Passed)
    assert await at.output(THREE, ("__value_schema_id", framed(at.new, b""))) == (THREE, [header])


async def test_tombstones_pass_as_they_are(fake: FakeRegistry) -> None:
    at = Setting(fake)
    outcome = await at.outcome(None, ("__value_schema_id", b"\0\0\0\0\1"))
    assert isinstance(outcome, Passed)
    assert outcome.reason == "tombstone"


gone = Chain(
    [Step("order", "1", "3", [rename("amt", "amount"), when(equals("amount", 0), tombstone())], lossy="gone")],
    [Baseline("order", "1", shape=present("amt"))],
)


async def test_what_the_chain_makes_a_tombstone_has_no_frame(fake: FakeRegistry) -> None:
    at = Setting(fake, chain="tests.unit.schemas.test_framed:gone")
    for headers in ([], [("__value_schema_id", framed(at.old, b""))]):
        value = b'{"amt":0}' if headers else framed(at.old, b'{"amt":0}')
        assert await at.output(value, *headers) == (None, [])
    assert await at.output(framed(at.old, b'{"amt":1}')) == (framed(at.new, b'{"amount":1}'), [])


@pytest.mark.parametrize(
    ("value", "stage", "error", "told"),
    [
        (b'{"amt": 1}', "decode", "NotFramed", "does not begin with the zero byte"),
        (b"", "decode", "NotFramed", "has 0 bytes"),
        (framed(99, ONE), "decode", "UnknownSchema", "schema 99 is not in the registry: register it again, then"),
        (framed(1, b'{"amt": '), "decode", "DecodeError", ""),
    ],
)
async def test_what_cannot_be_read_is_a_dead_letter(
    fake: FakeRegistry, value: bytes, stage: str, error: str, told: str
) -> None:
    found = fault(await Setting(fake).outcome(value))
    assert (found.stage, found.error_type) == (stage, error)
    assert told in found.message


async def test_a_schema_of_another_kind_or_without_a_word_on_versions_is_a_dead_letter(fake: FakeRegistry) -> None:
    at = Setting(fake)
    avro = fake.register("old-value", '"string"', schemaType="AVRO")
    assert fault(await at.outcome(framed(avro, ONE))).error_type == "WrongSchemaKind"
    silent = fake.register("old-value", {"title": "order"})
    found = fault(await at.outcome(framed(silent, ONE)))
    assert (found.stage, found.error_type) == ("detect", "SchemaSaysNothing")
    assert f"schema {silent} (old-value version 3) does not say the version" in found.message


async def test_a_schema_unknown_at_first_is_known_when_it_was_registered(fake: FakeRegistry) -> None:
    settings = RegistrySettings(urls=(fake.url,), unknown_for=0.001)
    at = Setting(fake)
    at.given = load_route_chain(at.route, settings)
    assert fault(await at.outcome(framed(3, ONE))).error_type == "UnknownSchema"
    assert fake.register("old-value", {"x-version": "1", "third": True}) == 3
    while isinstance(outcome := await at.outcome(framed(3, ONE)), DeadLettered):
        pass
    assert isinstance(outcome, Upcast)


async def test_rules_by_number_property_and_default(fake: FakeRegistry) -> None:
    by_number = Setting(fake, version=[{"schema": {"number": {1: "1"}}}, {"default": "3"}])
    outcome = await by_number.outcome(framed(by_number.old, ONE))
    assert isinstance(outcome, Upcast)
    assert isinstance(await by_number.outcome(framed(by_number.new, THREE)), Passed), "by the default"
    third = fake.register("old-value", {"third": True}, metadata={"properties": {"chain": "v1"}})
    by_property = Setting(fake, version=[{"schema": {"property": "chain"}, "pattern": "^v(.)$"}])
    assert isinstance(await by_property.outcome(framed(third, ONE)), Upcast)


async def test_the_version_may_stand_in_the_event_as_ever(fake: FakeRegistry) -> None:
    at = Setting(fake, version=[{"field": "v"}, {"default": "1"}])
    value, _ = await at.output(framed(at.old, b'{"v": "2", "amount": 1}'))
    assert value == framed(at.new, b'{"v":"3","amount":1,"unit":"EUR"}')
    assert isinstance(await at.outcome(framed(at.old, ONE)), Upcast)


async def test_nothing_is_asked_in_the_loop(fake: FakeRegistry) -> None:
    at = Setting(fake)
    event = Event(framed(at.old, ONE))
    with pytest.raises(NotLearntError):
        at.given.upcaster.upcast(event)
    await at.given.begin()
    with pytest.raises(NotLearntError):
        at.given.upcaster.upcast(event)
    await at.given.learn([event])
    asked = list(fake.asked)
    assert isinstance(at.given.upcaster.upcast(event), Upcast)
    await at.given.learn([event] * 1000)
    assert fake.asked == asked


async def test_a_registry_that_is_down_is_no_fault_of_a_record(fake: FakeRegistry) -> None:
    at = Setting(fake)
    await at.given.begin()
    fake.stop()
    assert at.given.framing is not None
    with pytest.raises(RegistryError, match="does not answer"):
        await at.given.framing.learn([Event(framed(at.old, ONE))])
    with pytest.raises(WorkerError, match="does not answer") as raised:
        await at.given.learn([Event(framed(at.old, ONE))])
    assert raised.value.exit_code == 1


async def test_whoever_looks_sees_the_value_without_its_frame(fake: FakeRegistry) -> None:
    at = Setting(fake)
    event = Event(framed(at.old, ONE), b"k", [("__value_schema_id", None)], 7, 9)
    await at.given.learn([event])
    bare = at.given.bare(event)
    assert isinstance(bare, Event)
    assert (bare.value, bare.headers) == (ONE, [("upcaster.schema.version", b"1")])
    shown, trace = at.given.trace(event, None)
    assert (shown, [hop.hop.id for hop in trace.hops]) == (bare, ["order:1->2", "order:2->3"])
    assert isinstance(at.given.bare(Event(b"{}")), Fault)
    assert at.given.framing is not None
    assert at.given.framing.told(event) == "1 (old-value version 1)"
    assert at.given.framing.told(Event(framed(77, b""))) == "77"
    assert at.given.framing.told(Event(b"{}")) == ""


async def test_a_filter_or_a_drop_stays_what_it_is(fake: FakeRegistry) -> None:
    at = Setting(fake, unknown_type="skip", event_type=[{"header": "t"}])
    assert isinstance(await at.outcome(framed(at.old, ONE), ("t", b"other")), Skipped)


# What the start finds, and refuses.


async def test_a_subject_that_is_not_there_is_refused(fake: FakeRegistry) -> None:
    at = Setting(fake, destination="elsewhere")
    with pytest.raises(WorkerError, match="elsewhere-value: the schema registry has no such subject") as raised:
        await at.given.begin()
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("strategy", "subject"), [("topic", "new-value"), ("record", "Order"), ("topic-record", "new-Order")]
)
async def test_subjects_and_registration(fake: FakeRegistry, tmp_path: Any, strategy: str, subject: str) -> None:
    file = tmp_path / "order-3.json"
    file.write_text(json.dumps({"title": "Order", "x": strategy}))
    writes = {"frame": "confluent", "subject": strategy, "schemas": {"order/3": str(file)}}
    with pytest.raises(WorkerError, match=f"{subject}: the schema of version 3 is not registered there"):
        await Setting(fake, writes=writes).given.begin()
    at = Setting(fake, writes={**writes, "register": True})
    for _ in range(2):
        await at.given.begin()
    assert [each for each in fake.asked if each == f"POST /subjects/{subject}/versions"] != []
    value, _ = await at.output(framed(at.old, ONE))
    number = int.from_bytes((value or b"")[1:5], "big")
    assert value == framed(number, BROUGHT)
    assert number not in {at.old, at.new}


async def test_a_schema_that_the_registry_refuses_is_reported(fake: FakeRegistry, tmp_path: Any) -> None:
    file = tmp_path / "order-3.json"
    file.write_text("{}")
    fake.refused.add("new-value")
    at = Setting(fake, writes={"frame": "confluent", "schemas": {"3": str(file)}, "register": True})
    with pytest.raises(WorkerError, match="does not take the schema of version 3"):
        await at.given.begin()
    for content, told in (("[]", "is no JSON Schema"), ("{", "is no JSON Schema")):
        file.write_text(content)
        with pytest.raises(WorkerError, match=told):
            await at.given.begin()
    file.unlink()
    with pytest.raises(WorkerError, match="cannot read"):
        await at.given.begin()


async def test_a_look_ahead_registers_nothing(fake: FakeRegistry, tmp_path: Any) -> None:
    file = tmp_path / "order-3.json"
    file.write_text('{"title": "Order", "looked": "at"}')
    at = Setting(fake, writes={"frame": "confluent", "schemas": {"3": str(file)}, "register": True})
    assert at.given.framing is not None
    assert await at.given.framing.look() == []
    fake.refused.add("new-value")
    assert await at.given.framing.look() == ["new-value: readers of the schema before may not take that of version 3"]
    assert "POST /subjects/new-value/versions" not in fake.asked
    with pytest.raises(WorkerError, match="is not registered there"):
        await load_route_chain(
            at.route.model_copy(update={"writes": at.route.writes.model_copy(update={"register_": False})}),
            RegistrySettings(urls=(fake.url,)),
        ).framing.look()  # type: ignore[union-attr]  # the test fails where it is another


async def test_a_version_without_model_has_nothing_to_register(fake: FakeRegistry) -> None:
    at = Setting(fake, writes={"frame": "confluent", "register": True})
    with pytest.raises(WorkerError, match="version 3 has no model"):
        await at.given.begin()


async def test_an_id_that_does_not_fit_is_refused(fake: FakeRegistry) -> None:
    at = Setting(fake)
    fake.fault = lambda _path: (
        200,
        {"subject": "new-value", "version": 1, "id": 2**40, "schema": "{}", "schemaType": "JSON"},
    )
    with pytest.raises(WorkerError, match="no room for the id 1099511627776"):
        await at.given.begin()


UNKNOWN_TYPE = {"event_type": [{"schema": {"field": "title"}}], **BY_FIELD}


@pytest.mark.parametrize(
    ("title", "version", "route", "expected"),
    [
        ("order", "9", {}, "FutureVersion"),
        ("order", "9", {"future_version": "pass"}, "policy"),
        ("invoice", "1", UNKNOWN_TYPE, "UnknownType"),
        ("invoice", "1", {"unknown_type": "pass", **UNKNOWN_TYPE}, "policy"),
        ("invoice", "1", {"unknown_type": "skip", **UNKNOWN_TYPE}, "Skipped"),
    ],
)
async def test_a_schema_of_a_version_that_the_chain_lacks_is_for_the_routes_policy(
    fake: FakeRegistry, title: str, version: str, route: dict[str, Any], expected: str
) -> None:
    """A producer is upgraded before the worker is."""
    at = Setting(fake, **route)
    other = fake.register("old-value", {"title": title, "x-version": version})
    outcome = await at.outcome(framed(other, b'{"amount": 1}'))
    found = outcome.fault.error_type if isinstance(outcome, DeadLettered) else type(outcome).__name__
    assert expected in (found, outcome.reason if isinstance(outcome, Passed) else "")


async def test_what_a_policy_lets_pass_by_its_fields_passes_each_time(fake: FakeRegistry) -> None:
    """The first record of a schema goes another way than those behind it."""
    rules = {"event_type": [{"field": "t"}], "version": [{"field": "v"}]}
    at = Setting(fake, unknown_type="pass", future_version="pass", **rules)
    for value in (b'{"t":"invoice","v":"1"}', b'{"t":"order","v":"9"}'):
        outcome = await at.outcome(framed(at.old, value))
        assert isinstance(outcome, Passed)
        assert outcome.reason == "policy"
