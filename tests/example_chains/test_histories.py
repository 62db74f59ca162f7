"""Real schema histories, said without a Python function over the whole document: up, and down where there is a way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from upcasters import (
    SNAKE_CASE,
    Always,
    Baseline,
    Chain,
    DeadLettered,
    Detection,
    Event,
    FromField,
    FromHeader,
    FromShape,
    Operation,
    Passed,
    Policy,
    Reversibility,
    SourcePartition,
    Step,
    Upcast,
    at,
    convert_time,
    default,
    downgrade,
    drop,
    equals,
    everywhere,
    flatten,
    from_object,
    has_type,
    join_list,
    key_pattern,
    list_to_object,
    map_values,
    move,
    nest,
    number,
    object_to_list,
    parse_json,
    present,
    print_json,
    reformat,
    rename,
    rename_header,
    rename_keys,
    rename_many,
    rename_type,
    scale,
    subdocument,
    switch,
    to_object,
    unnest,
    unwrap,
    when,
    wrap,
)
from upcasters.checks import model_problems
from upcasters.event import Header

SOURCE = SourcePartition("history", 0)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


# Notebooks: worksheets become one list of cells, outputs get other names, cells get ids from their position.


class Sheet(Open):
    cells: list[dict[str, Any]]


class Notebook3(Open):
    nbformat: Literal[3]
    nbformat_minor: int
    metadata: dict[str, Any]
    worksheets: list[Sheet]


class Notebook4(Open):
    nbformat: Literal[4]
    nbformat_minor: int
    metadata: dict[str, Any]
    cells: list[dict[str, Any]]


class Cell(Open):
    id: str


class Notebook45(Notebook4):
    cells: list[Cell]  # type: ignore[assignment]  # as the published format narrows it


MIME = {"png": "image/png", "html": "text/html", "text": "text/plain"}
DATA: Sequence[Operation] = (rename_many("", MIME, missing="skip"), nest(list(MIME.values()), "data", missing="skip"))
OUTPUTS = (
    switch(
        "output_type",
        {
            "pyout": [rename("prompt_number", "execution_count"), *DATA],
            "display_data": DATA,
            "pyerr": [],
            "stream": [rename("stream", "name", missing="skip"), default("name", "stdout")],
        },
    ),
    map_values("output_type", {"pyout": "execute_result", "pyerr": "error"}, otherwise="keep"),
)
CELLS = (
    switch(
        "cell_type",
        {
            "code": [
                rename("input", "source"),
                rename("prompt_number", "execution_count", default=None),
                drop("language", missing="skip", restore="python"),
                downgrade(default("collapsed", False)),
                move("collapsed", "metadata.collapsed", missing="skip", parents="create"),
                at("outputs.*", *OUTPUTS),
            ],
            "heading": [
                join_list("source", "\n", ends="keep", texts="keep"),
                switch("level", {level: [reformat("source", "{}", "#" * level + " {}")] for level in range(1, 7)}),
                drop("level"),
            ],
            "markdown": [],
        },
    ),
    map_values(
        "cell_type",
        {"code": "code", "markdown": "markdown", "heading": "markdown"},
        back={"markdown": "markdown"},
    ),
)
NOTEBOOKS = Chain(
    [
        Step(
            "notebook",
            3,
            4,
            [
                at("worksheets.*.cells.*", *CELLS),
                from_object("worksheets.*", "cells", others="drop"),
                flatten("worksheets"),
                rename("worksheets", "cells"),
                map_values("nbformat", {3: 4}),
            ],
            model=Notebook4,
            shape=equals("nbformat", 4),
            lossy="worksheets and levels of headings",
        ),
        Step(
            "notebook",
            4,
            4.5,  # type: ignore[arg-type]  # as JSON would have it
            [number("cells", "id", text="cell-{}", exists="keep"), map_values("nbformat_minor", {0: 5})],
            model=Notebook45,
            shape=equals("nbformat", 4) & equals("nbformat_minor", 5),
        ),
    ],
    [Baseline("notebook", 3, Notebook3, equals("nbformat", 3))],
)

# Telemetry: attributes change their names, some with each other, as keys with dots and in lists of key and value.

SPANS = "resourceSpans.*.scopeSpans.*.spans.*"
TELEMETRY = Chain(
    [
        Step(
            "traces",
            "1.20.0",
            "1.21.0",
            [
                map_values(
                    f"{SPANS}.attributes.*.key",
                    {
                        "client.address": "server.address",
                        "server.address": "client.address",
                        "http.method": "http.verb",
                    },
                    otherwise="keep",
                    back={"http.verb": "http.method"},
                )
            ],
        ),
        Step(
            "traces",
            "1.21.0",
            "1.22.0",
            [
                list_to_object(f"{SPANS}.attributes", "key", value="value"),
                rename_many(f"{SPANS}.attributes", {"http.verb": "http.request.method"}, missing="skip"),
                rename_keys(f"{SPANS}.attributes", key_pattern(r"^net\.", "network.", (r"^network\.", "net."))),
            ],
        ),
    ],
    detection=Detection(version=(FromField("schemaUrl", r"/schemas/(.+)$"),)),
)

# Event envelopes: CloudEvents before 1.0, around the data and in headers.

ENVELOPES = Chain(
    [
        Step(
            "envelope",
            "0.1",
            "0.3",
            [
                rename_many(
                    "",
                    {
                        "cloudEventsVersion": "specversion",
                        "eventType": "type",
                        "eventID": "id",
                        "contentType": "datacontenttype",
                    },
                    missing="skip",
                ),
                when(
                    present("extensions"),
                    rename_keys("extensions", key_pattern("[^A-Za-z0-9]", "")),
                    unnest("extensions"),
                ),
            ],
            lossy="how extensions were spelled",
        ),
        Step(
            "envelope",
            "0.3",
            "1.0",
            [
                when(
                    equals("datacontentencoding", "base64"),
                    rename("data", "data_base64"),
                    drop("datacontentencoding", restore="base64"),
                    undo_when=present("data_base64"),
                )
            ],
        ),
    ],
    detection=Detection((Always("envelope"),), (FromField("specversion"), FromField("cloudEventsVersion"))),
)
BINARY = Chain(
    [
        Step(
            "order",
            "0.2",
            "1.0",
            [rename_header(f"cloudEvents_{name}", f"ce_{name}") for name in ("specversion", "type", "id")],
        )
    ],
    detection=Detection((Always("order"),), (FromHeader("ce_specversion"), FromHeader("cloudEvents_specversion"))),
)

# Webhooks: ids that expand into objects, seconds since 1970, amounts, enumerations, a renamed type, dated versions.


WEBHOOKS = Chain(
    [
        Step(
            "charge.paid",
            "2014-01-31",
            "2017-04-06",
            [
                scale("data.amount", 100),
                map_values(
                    "data.status",
                    {"paid": "succeeded", "ok": "succeeded", "failed": "failed"},
                    back={"succeeded": "paid"},
                ),
                unwrap("data.refunds", empty="null"),
            ],
        ),
        Step(
            "charge.paid",
            "2017-04-06",
            "2022-11-15",
            [
                to_object("data.customer", "id", objects="keep", null="keep"),
                convert_time("created", "s", "rfc3339"),
                rename_type("charge.succeeded"),
            ],
        ),
    ],
    detection=Detection((FromField("type"),), (FromField("api_version"),)),
)

# A game: objects by id become a list, rows of tiles, bits, a name at any depth.

FLAGS = ("tutorial", "hard", "ironman")
# A table of the eight sets that there are: upwards their names, in this order; downwards the number again.
SETS = [(bits, [name for place, name in enumerate(FLAGS) if bits >> place & 1]) for bits in range(2 ** len(FLAGS))]

SAVES = Chain(
    [
        Step(
            "save",
            1,
            2,
            [
                map_values("grid.*.*.t", {0: "grass", 1: "water"}),
                at("grid.*.*", rename("t", "terrain")),
                map_values("flags", SETS),
                rename_keys("players.*", SNAKE_CASE, subtree=True),
                at("players.*.inventory.*", wrap("tags", null="empty")),
            ],
        ),
        Step("save", 2, 3, [object_to_list("players", "id")]),
        Step(
            "save",
            3,
            4,
            [
                everywhere(
                    has_type("hp", "number"),
                    rename("hp", "health"),
                    stop_at=["mods"],
                    undo_where=has_type("health", "number"),
                )
            ],
        ),
    ],
    detection=Detection(version=(FromField("save_version"),)),
)

# Change data capture: an envelope is taken off, JSON text is read, a document inside has versions of its own.

ROW = (parse_json("extra", null="keep"), subdocument("doc", "document", version_field="meta.version", null="keep"))
ROWS = Chain(
    [
        Step(
            "orders",
            None,
            2,
            [
                drop("schema", missing="skip"),
                unnest("payload", ["before", "after", "source", "op"]),
                map_values("op", {"c": "create", "u": "update", "d": "delete"}),
                at("before", *ROW, wrong_type="skip"),
                at("after", *ROW, print_json("extra", null="keep"), wrong_type="skip"),
            ],
            shape=present("op"),
            lossy="the version of the document inside",
        ),
        Step("document", 7, 8, [rename("cust", "customer")]),
        Step("document", 8, 9, [nest(["street", "city"], "address")]),
    ],
    [Baseline("orders", None, shape=present("payload"))],
    detection=Detection((FromField("payload.source.table"), FromField("source.table")), (FromShape(),)),
)

HISTORIES: dict[str, tuple[Chain, str, str, Mapping[str, str] | None]] = {
    "notebooks": (
        NOTEBOOKS,
        (
            '{"metadata":{"n": 1.0},"nbformat":3,"nbformat_minor":0,"worksheets":[{"cells":['
            '{"cell_type":"code","collapsed":false,"input":["1"],"language":"python","prompt_number":1,"outputs":['
            '{"output_type":"pyout","prompt_number":1,"text":["1"],"png":"a"},{"output_type":"stream","text":["e"]},'
            '{"output_type":"pyerr","ename":"E"}]},{"cell_type":"heading","level":2,"source":["T"]}],"metadata":{}},'
            '{"cells":[{"cell_type":"markdown","source":"x","id":"mine"}]}]}'
        ),
        (
            '{"metadata":{"n": 1.0},"nbformat":4,"nbformat_minor":5,"cells":[{"cell_type":"code","source":["1"],'
            '"execution_count":1,"outputs":['
            '{"output_type":"execute_result","execution_count":1,"data":{"image/png":"a","text/plain":["1"]}},'
            '{"output_type":"stream","text":["e"],"name":"stdout"},{"output_type":"error","ename":"E"}],'
            '"metadata":{"collapsed":false},"id":"cell-0"},'
            '{"cell_type":"markdown","source":"## T","id":"cell-1"},{"cell_type":"markdown","source":"x","id":"mine"}]}'
        ),
        None,
    ),
    "telemetry": (
        TELEMETRY,
        (
            '{"schemaUrl":"https://o.io/schemas/1.20.0","resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":['
            '{"key":"client.address","value":{"stringValue":"c"}},{"key":"server.address","value":{"stringValue":"s"}},'
            '{"key":"http.method","value":{"intValue":1e400}},{"key":"net.port","value":{}},{"key":"é","value":1.10}]}]}]}]}'
        ),
        (
            '{"schemaUrl":"https://o.io/schemas/1.22.0","resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":{'
            '"server.address":{"stringValue":"c"},"client.address":{"stringValue":"s"},'
            '"http.request.method":{"intValue":1e400},"network.port":{},"é":1.10}}]}]}]}'
        ),
        {"traces": "1.20.0"},
    ),
    "envelopes": (
        ENVELOPES,
        '{"cloudEventsVersion":"0.1","eventType":"t","eventID":"A","extensions":{"my-X":1.10},"data":{"a": 1}}',
        '{"specversion":"1.0","type":"t","id":"A","data":{"a": 1},"myX":1.10}',
        None,
    ),
    "envelopes of bytes": (
        ENVELOPES,
        '{"specversion":"0.3","type":"t","data":"aGk=","datacontentencoding":"base64"}',
        '{"specversion":"1.0","type":"t","data_base64":"aGk="}',
        {"envelope": "0.3"},
    ),
    "webhooks": (
        WEBHOOKS,
        (
            '{"type":"charge.paid","api_version":"2014-01-31","created":1326853478,'
            '"data":{"amount":10.1,"status":"paid","customer":"cus_1","refunds":[]}}'
        ),
        (
            '{"type":"charge.succeeded","api_version":"2022-11-15","created":"2012-01-18T02:24:38Z",'
            '"data":{"amount":1010,"status":"succeeded","customer":{"id":"cus_1"},"refunds":null}}'
        ),
        {"charge.paid": "2014-01-31"},
    ),
    "saves": (
        SAVES,
        (
            '{"save_version":1,"flags":5,"grid":[[{"t":0},{"t":1}],[{"t":1}]],"players":{"p1":{"maxHp":3,"hp":1.50,'
            '"inventory":[{"tags":null,"itemId":"a"},{"tags":"x"}]},"p.2":{"hp":2,"inventory":[],"mods":{"hp":1}}}}'
        ),
        (
            '{"save_version":4,"flags":["tutorial","ironman"],"grid":[[{"terrain":"grass"},{"terrain":"water"}],'
            '[{"terrain":"water"}]],"players":[{"id":"p1","max_hp":3,"health":1.50,"inventory":[{"tags":[],"item_id":"a"},'
            '{"tags":["x"]}]},{"id":"p.2","health":2,"inventory":[],"mods":{"hp":1}}]}'
        ),
        {"save": "1"},
    ),
    "rows": (
        ROWS,
        (
            '{"schema":{},"payload":{"before":null,"after":{"id":1,"extra":"{\\"a\\": 1.10}","doc":{'
            '"meta":{"version":7},"cust":"x","street":"s","city":"c"}},"source":{"table":"orders"},"op":"c"}}'
        ),
        (
            '{"before":null,"after":{"id":1,"extra":"{\\"a\\": 1.10}","doc":{"meta":{"version":9},"customer":"x",'
            '"address":{"street":"s","city":"c"}}},"source":{"table":"orders"},"op":"create"}'
        ),
        None,
    ),
}


def brought(chain: Chain, value: str, policy: Policy, headers: Sequence[Header] = ()) -> str:
    upcaster = chain.upcaster(policy)
    event = Event(value.encode(), None, headers, offset=1)
    outcome = upcaster.upcast(event, SOURCE)
    assert outcome == upcaster.reference.upcast(event, SOURCE)
    assert isinstance(outcome, Upcast), outcome
    (record,) = outcome.output(event)
    assert record.value is not None
    return record.value.decode()


@pytest.mark.parametrize(("chain", "before", "after", "down"), HISTORIES.values(), ids=HISTORIES.keys())
def test_history(chain: Chain, before: str, after: str, down: Mapping[str, str] | None) -> None:
    assert not model_problems(chain)
    assert brought(chain, before, Policy(validate_source="always")) == after
    if down is not None:
        assert json.loads(brought(chain, after, Policy(target=down))) == json.loads(before)


def test_an_envelope_in_headers() -> None:
    old: list[Header] = [("cloudEvents_specversion", b"0.2"), ("cloudEvents_type", b"t"), ("cloudEvents_id", b"1")]
    new: list[Header] = [("ce_specversion", b"1.0"), ("ce_type", b"t"), ("ce_id", b"1")]
    upcaster = BINARY.upcaster()
    outcome = upcaster.upcast(Event(b"{}", None, old))
    assert isinstance(outcome, Upcast)
    assert [list(record.headers) for record in outcome.output(Event(b"{}"))] == [new]
    assert isinstance(upcaster.upcast(Event(b"{}", None, new)), Passed)
    assert isinstance(upcaster.upcast(Event(b"{}", None, [*old, *new])), DeadLettered)
    assert BINARY.steps[0].reversibility is Reversibility.EXACT


def test_exact_amounts_of_any_length() -> None:
    before = HISTORIES["webhooks"][1].replace("10.1", "12345678901234567.89")
    assert '"amount":1234567890123456789,' in brought(WEBHOOKS, before, Policy())


def test_a_notebook_goes_down_as_the_tools_of_its_format_bring_it_down() -> None:
    """As nbformat's own downgrade from 4 to 3: Python is the language of all cells, one worksheet holds them."""
    newer = (
        '{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":['
        '{"id":"cell-0","cell_type":"code","source":["1"],"execution_count":null,"metadata":{"collapsed":true},"outputs":['
        '{"output_type":"execute_result","execution_count":2,"data":{"text/plain":["1"]},"metadata":{}},'
        '{"output_type":"stream","name":"stderr","text":["e"]},{"output_type":"error","ename":"E"}]},'
        '{"id":"cell-1","cell_type":"code","source":[],"execution_count":3,"outputs":[]},'
        '{"id":"other","cell_type":"markdown","source":"x"}]}'
    )
    older = (
        '{"nbformat":3,"nbformat_minor":0,"metadata":{},"worksheets":[{"cells":['
        '{"cell_type":"code","input":["1"],"prompt_number":null,"language":"python","collapsed":true,"outputs":['
        '{"output_type":"pyout","prompt_number":2,"text":["1"],"metadata":{}},'
        '{"output_type":"stream","stream":"stderr","text":["e"]},{"output_type":"pyerr","ename":"E"}]},'
        '{"cell_type":"code","input":[],"prompt_number":3,"language":"python","collapsed":false,"outputs":[]},'
        '{"cell_type":"markdown","source":"x","id":"other"}]}]}'
    )
    back = brought(NOTEBOOKS, newer, Policy(target={"notebook": "3"}, allow_loss=True))
    assert json.loads(back) == json.loads(older)
