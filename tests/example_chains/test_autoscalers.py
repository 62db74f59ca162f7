"""Kubernetes' HorizontalPodAutoscaler, v1 and v2: what v1 has no field for stands in an annotation, as JSON text.

Both ways are those of the conversion functions of its API, for metrics of resources and pods.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from upcasters import (
    Baseline,
    Chain,
    Detection,
    Event,
    FromField,
    Operation,
    Policy,
    Step,
    Upcast,
    add,
    at,
    equals,
    move,
    move_items,
    parse_json,
    present,
    switch,
    when,
    wrap,
)

METRICS = ("metadata", "annotations", "autoscaling.alpha.kubernetes.io/metrics")
USAGE = "resource.target.averageUtilization"
IS_CPU = equals("type", "Resource") & equals("resource.name", "cpu") & present(USAGE)


def target(old: str, new: str, kind: str) -> Operation:
    """What was one field is a target that says of which kind it is."""
    moved = move(old, f"target.{new}", parents="create")
    return when(present(old), moved, add("target.type", kind), undo_when=equals("target.type", kind))


SHARE = target("targetAverageUtilization", "averageUtilization", "Utilization")
VALUE = target("targetAverageValue", "averageValue", "AverageValue")
AUTOSCALERS = Chain(
    [
        Step(
            "HorizontalPodAutoscaler",
            "v1",
            "v2",
            [
                move(METRICS, "spec.metrics", missing="skip", parents="create"),
                parse_json("spec.metrics", missing="skip"),
                at(
                    "spec.metrics.*",
                    switch(
                        "type",
                        {
                            "Resource": [at("resource", SHARE, VALUE)],
                            "Pods": [at("pods", move("metricName", "metric.name", parents="create"), VALUE)],
                        },
                    ),
                    missing="skip",
                ),
                move("spec.targetCPUUtilizationPercentage", f"spec.cpu.{USAGE}", missing="skip", parents="create"),
                at(
                    "spec.cpu",
                    add("type", "Resource"),
                    add("resource.name", "cpu"),
                    add("resource.target.type", "Utilization"),
                    missing="skip",
                ),
                wrap("spec.cpu", missing="skip"),
                move_items("spec.cpu", IS_CPU, "spec.metrics", empty="drop", missing="skip"),
            ],
        )
    ],
    [Baseline("HorizontalPodAutoscaler", "v1")],
    detection=Detection((FromField("kind"),), (FromField("apiVersion", "^autoscaling/(.+)$"),)),
)
AUTOSCALERS.check()

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
MEMORY = {
    "type": "Resource",
    "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 60}},
}
PODS = {
    "type": "Pods",
    "pods": {"metric": {"name": "pps"}, "target": {"type": "AverageValue", "averageValue": "1k"}},
}
OLD_MEMORY = {"type": "Resource", "resource": {"name": "memory", "targetAverageUtilization": 60}}
OLD_PODS = {"type": "Pods", "pods": {"metricName": "pps", "targetAverageValue": "1k"}}


def autoscaler(version: str, annotations: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "web"} if annotations is None else {"name": "web", "annotations": annotations}
    kind = {"apiVersion": f"autoscaling/{version}", "kind": "HorizontalPodAutoscaler"}
    return {**kind, "metadata": metadata, "spec": {"maxReplicas": 10, **spec}}


def with_annotation(metrics: list[Any], **others: Any) -> dict[str, Any]:
    return {**others, METRICS[-1]: json.dumps(metrics, separators=(",", ":"))}


PAIRS = {
    "cpu alone": (autoscaler("v1", targetCPUUtilizationPercentage=80), autoscaler("v2", metrics=[CPU])),
    "nothing": (autoscaler("v1"), autoscaler("v2")),
    "others, too": (
        autoscaler("v1", with_annotation([OLD_MEMORY, OLD_PODS], mine="1"), targetCPUUtilizationPercentage=80),
        autoscaler("v2", {"mine": "1"}, metrics=[MEMORY, PODS, CPU]),
    ),
}


def brought(document: dict[str, Any], policy: Policy) -> dict[str, Any]:
    """The outcome; what stands in the annotation is read, since the order of its keys says nothing."""
    upcaster, event = AUTOSCALERS.upcaster(policy), Event(json.dumps(document).encode())
    outcome = upcaster.upcast(event)
    assert outcome == upcaster.reference.upcast(event)
    assert isinstance(outcome, Upcast), outcome
    return read(json.loads(outcome.value or b""))


def read(document: dict[str, Any]) -> dict[str, Any]:
    annotations = document["metadata"].get("annotations", {})
    if METRICS[-1] in annotations:
        annotations[METRICS[-1]] = json.loads(annotations[METRICS[-1]])
    return document


DOWN = Policy(target={"HorizontalPodAutoscaler": "v1"})


@pytest.mark.parametrize(("older", "newer"), PAIRS.values(), ids=PAIRS.keys())
def test_autoscalers_go_up_and_down(older: dict[str, Any], newer: dict[str, Any]) -> None:
    assert brought(older, Policy()) == newer
    assert brought(newer, DOWN) == read(json.loads(json.dumps(older)))


def test_metrics_of_one_that_had_no_annotations_get_some() -> None:
    older = brought(autoscaler("v2", metrics=[CPU, MEMORY]), DOWN)
    assert older == autoscaler("v1", {METRICS[-1]: [OLD_MEMORY]}, targetCPUUtilizationPercentage=80)
