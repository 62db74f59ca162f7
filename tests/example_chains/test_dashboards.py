"""Stored dashboards of a published history: panels in rows, whose axes, formats and thresholds changed their form.

What Grafana's own migrator does to schema versions 1 to 12, but for queries of single data sources.
"""

from __future__ import annotations

import json

import pytest

from upcasters import (
    Always,
    Baseline,
    Chain,
    Detection,
    Event,
    FromField,
    Operation,
    Policy,
    Step,
    Upcast,
    absent,
    add,
    at,
    copy,
    default,
    drop,
    equals,
    fields_to_list,
    from_object,
    has_type,
    length,
    list_to_fields,
    map_values,
    matches,
    move,
    move_items,
    number,
    object_to_list,
    present,
    rename,
    split_value,
    to_object,
    unwrap,
    when,
)

PANELS = "rows.*.panels.*"


def graphs(*operations: Operation) -> Operation:
    return at(PANELS, when(equals("type", "graph"), *operations), missing="skip")


def side(name: str) -> list[Operation]:
    """What the grid said of one axis."""
    return [
        move(f"grid.{name}{key}", f"{name}.{new}", missing="skip", parents="create")
        for key, new in (("Min", "min"), ("Max", "max"), ("LogBase", "logBase"))
    ]


LETTERS = dict(enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
TWO_OF_THREE = when(
    equals(length("thresholds"), 3),
    list_to_fields("thresholds", ["lowest", "warn", "high"]),
    drop("lowest"),
    fields_to_list(["warn", "high"], "thresholds"),
)
DASHBOARDS = Chain(
    [
        Step(
            "dashboard",
            1,
            2,
            [
                move("services.filter.time", "time", missing="skip"),
                move("services.filter.list", "templating.list", missing="skip", parents="create"),
                drop("services", missing="skip"),
                at(
                    PANELS,
                    map_values(
                        "type", {"graphite": "graph", "graph": "graph"}, otherwise="keep", back={"graph": "graph"}
                    ),
                    missing="skip",
                ),
                graphs(
                    when(has_type("legend", "boolean"), to_object("legend", "show")),
                    rename("grid.min", "leftMin", missing="skip"),
                    rename("grid.max", "leftMax", missing="skip"),
                    fields_to_list(["y_format", "y2_format"], "y_formats", missing="skip", short="keep"),
                ),
            ],
            also=["3"],
            lossy="services hold nothing else",
        ),
        Step(
            "dashboard",
            2,
            4,
            [
                graphs(
                    object_to_list("aliasYAxis", "alias", value="yaxis", missing="skip"),
                    rename("aliasYAxis", "seriesOverrides", missing="skip"),
                ),
                number(PANELS[:-2], "id", start="next", over="all", exists="keep", missing="skip"),
            ],
            also=["5", "6"],
        ),
        Step(
            "dashboard",
            4,
            7,
            [
                at(
                    "templating.list.*",
                    default("datasource", None),
                    default("type", "query"),
                    map_values(
                        "type", {"filter": "query", "query": "query"}, otherwise="keep", back={"query": "query"}
                    ),
                    missing="skip",
                ),
                move_items("pulldowns", equals("name", "annotations"), "annotations", missing="skip"),
                unwrap("annotations", many="first", missing="skip"),
                at("annotations", default("annotations", []), missing="skip"),
                from_object("annotations", "annotations", others="drop", missing="skip"),
                to_object("annotations", "list", missing="skip"),
                drop("pulldowns", missing="skip"),
                unwrap("nav", empty="drop", many="first", missing="skip"),
                rename("nav", "timepicker", missing="skip"),
                number(f"{PANELS}.targets", "refId", exists="keep", missing="skip"),
                map_values(f"{PANELS}.targets.*.refId", LETTERS, otherwise="keep", missing="skip"),
            ],
            also=["8"],
            lossy="a dashboard had one navigation; of what could be pulled down the annotations are left",
        ),
        Step(
            "dashboard",
            7,
            9,
            [
                at(
                    PANELS,
                    when(
                        equals("type", "singlestat") & matches("thresholds", "^[^,]*,[^,]*,"),
                        split_value("thresholds", ",", ["lowest", "higher"], which="first"),
                        drop("lowest"),
                        rename("higher", "thresholds"),
                    ),
                    missing="skip",
                ),
            ],
            lossy="the lowest threshold was never used",
        ),
        Step(
            "dashboard",
            9,
            10,
            [at(PANELS, when(equals("type", "table"), at("styles.*", TWO_OF_THREE, missing="skip")), missing="skip")],
            also=["11"],
            lossy="the lowest threshold was never used",
        ),
        Step(
            "dashboard",
            10,
            12,
            [
                at(
                    "templating.list.*",
                    default("refresh", False),
                    map_values("refresh", {True: 1, False: 0}),
                    when(
                        equals("hideVariable", True),
                        add("hide", 2),
                        otherwise=[when(equals("hideLabel", True), add("hide", 1))],
                    ),
                    missing="skip",
                ),
                graphs(
                    when(
                        present("grid") & absent("yaxes"),
                        list_to_fields("y_formats", ["leftFormat", "rightFormat"]),
                        *side("left"),
                        *side("right"),
                        move("leftFormat", "left.format", parents="create"),
                        move("rightFormat", "right.format", parents="create"),
                        move("leftYAxisLabel", "left.label", missing="skip"),
                        move("rightYAxisLabel", "right.label", missing="skip"),
                        copy("y-axis", "left.show", missing="skip"),
                        move("y-axis", "right.show", missing="skip"),
                        fields_to_list(["left", "right"], "yaxes"),
                        rename("x-axis", "xaxis", missing="skip"),
                        to_object("xaxis", "show", missing="skip"),
                    )
                ),
            ],
            lossy="one switch showed both axes",
        ),
    ],
    [Baseline("dashboard", 1, also=["0"])],
    detection=Detection((Always("dashboard"),), (FromField("schemaVersion"), Always("1"))),
)
DASHBOARDS.check()


def brought(value: str, policy: Policy | None = None) -> str:
    upcaster, event = DASHBOARDS.upcaster(policy), Event(value.encode())
    outcome = upcaster.upcast(event)
    assert outcome == upcaster.reference.upcast(event)
    assert isinstance(outcome, Upcast), outcome
    return (outcome.value or b"").decode()


UP = {
    "axes": (
        (
            '{"schemaVersion":1,"rows":[{"panels":[{"type":"graphite","legend":true,"grid":{"min":1.50,"rightMax":1e400},'
            '"y_format":"short","y2_format":"ms","x-axis":true,"y-axis":false,"aliasYAxis":{"é":2},"targets":[{},{"refId":"Z"}]}]}]}'
        ),
        (
            '{"schemaVersion":12,"rows":[{"panels":[{"type":"graph","legend":{"show":true},"grid":{},"xaxis":{"show":true},'
            '"targets":[{"refId":"A"},{"refId":"Z"}],"id":1,"seriesOverrides":[{"alias":"é","yaxis":2}],'
            '"yaxes":[{"min":1.50,"format":"short","show":false},{"max":1e400,"format":"ms","show":false}]}]}]}'
        ),
    ),
    "filters": (
        '{"services":{"filter":{"time":{"from":"now"},"list":[{"type":"filter"},{"refresh":true,"hideLabel":true}]}},"nav":[{"n":1}]}',
        (
            '{"time":{"from":"now"},"templating":{"list":[{"type":"query","datasource":null,"refresh":0},'
            '{"refresh":1,"hideLabel":true,"datasource":null,"type":"query","hide":1}]},"timepicker":{"n":1}}'
        ),
    ),
    "thresholds": (
        '{"schemaVersion":7,"rows":[{"panels":[{"type":"singlestat","thresholds":"0,50,80"},{"type":"singlestat","thresholds":"50,80"}]}]}',
        '{"schemaVersion":12,"rows":[{"panels":[{"type":"singlestat","thresholds":"50,80"},{"type":"singlestat","thresholds":"50,80"}]}]}',
    ),
    "thresholds of columns": (
        '{"schemaVersion":9,"rows":[{"panels":[{"type":"table","styles":[{"thresholds":["0","5.0","8"]},{"thresholds":["5"]},{}]}]}]}',
        '{"schemaVersion":12,"rows":[{"panels":[{"type":"table","styles":[{"thresholds":["5.0","8"]},{"thresholds":["5"]},{}]}]}]}',
    ),
    "numbers of panels": (
        '{"schemaVersion":2,"rows":[{"panels":[{},{"id":7}]},{"panels":[{"id":2},{}]}]}',
        '{"schemaVersion":12,"rows":[{"panels":[{"id":8},{"id":7}]},{"panels":[{"id":2},{"id":9}]}]}',
    ),
    "annotations": (
        (
            '{"schemaVersion":5,"pulldowns":[{"type":"filtering"},{"name":"annotations","collapse":true,'
            '"annotations":[{"name":"é"}]}]}'
        ),
        '{"schemaVersion":12,"annotations":{"list":[{"name":"é"}]}}',
    ),
}


@pytest.mark.parametrize(("before", "after"), UP.values(), ids=UP.keys())
def test_dashboards_go_up(before: str, after: str) -> None:
    assert json.loads(brought(before)) == json.loads(after)
