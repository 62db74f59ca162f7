"""Laws also meet values as the readers of a chain are there for."""

from __future__ import annotations

import itertools

import pytest
from pydantic import BaseModel, ConfigDict

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    FromCloudEvents,
    Step,
    Upcast,
    ValueReader,
    add,
    read_with,
)
from upcasters.readers import READER_NAMES, ReaderName
from upcasters.testing import LawBroken, laws
from upcasters.testing.disguises import DISGUISES, _in_envelope
from upcasters.testing.events import SOURCE, Inputs


class Thing(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str = ""


def chain_with(*readers: ReaderName | ValueReader) -> Chain:
    return Chain(
        [Step("t", 1, 2, [add("new", 1)])],
        [Baseline("t", 1, model=Thing)],
        detection=Detection((FromCloudEvents("type"), Always("t")), (FromCloudEvents("dataschema"), Always("1"))),
        readers=readers,
    )


def test_there_is_one_for_each_reader() -> None:
    assert set(DISGUISES) == set(READER_NAMES)


@pytest.mark.parametrize("name", READER_NAMES)
def test_each_reader_is_given_something_to_read(name: ReaderName) -> None:
    chain = chain_with(name)
    upcaster = chain.upcaster()
    events = Inputs(chain, []).drawn("t", "1", chain.detection, 150)
    traces = [upcaster.reference.trace(event, SOURCE) for event in events]
    assert name == "nan-refused" or any(trace.read and isinstance(trace.outcome, Upcast) for trace in traces)
    assert sum(trace.read is not None or "reader" in repr(trace.outcome) for trace in traces) >= (name != "nan-refused")


def test_several_are_worn_one_over_the_other() -> None:
    chain = chain_with("utf-16", "json-text", "array")
    upcaster = chain.upcaster()
    events = Inputs(chain, []).drawn("t", "1", chain.detection, 200)
    read = [upcaster.reference.trace(event, SOURCE).read for event in events]
    assert ("utf-16", "json-text", "array") in {one.by for one in read if one is not None}


def test_a_law_fails_by_an_event_that_only_a_reader_can_read() -> None:
    count = itertools.count()

    def moody(value: bytes) -> bytes:
        return value if value[:1] != b"[" or b'"id"' not in value else b'{"id":"%d"}' % next(count)

    chain = chain_with("json-text", read_with(moody, splits=False), "array")
    law = next(law for law in laws(chain, examples=30) if law.name == "deterministic")
    with pytest.raises(LawBroken, match="two outcomes"):
        law.check()


def test_a_chain_with_readers_keeps_all_laws() -> None:
    chain = chain_with("byte-order-mark", "utf-16", "nan-as-null", "lone-surrogates", "json-text", "array")
    for law in laws(chain, examples=20):
        law.check()


def test_what_is_no_json_is_left_out_of_an_envelope() -> None:
    assert _in_envelope(dict)(b"{") == b"{"
