"""What the worker declares of its metrics: for the table in docs/metrics.md, and for what is checked against it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from worker.metrics import WorkerMetrics


def declared() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Type, labels and description of each metric, by the name that its samples begin with."""
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry, "group")
    labels = {f"upcaster_{name}": of_lane for name, (_, of_lane) in metrics.lanes.FAMILIES.items()}
    for metric in vars(metrics).values():
        if hasattr(metric, "_labelnames"):
            labels[metric._name] = metric._labelnames
    found = {}
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = family.type, tuple(labels[family.name]), family.documentation
    return found
