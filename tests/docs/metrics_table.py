"""What the worker declares of its metrics: for the table in docs/metrics.md, and for what is checked against it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from worker.metrics import NativeCounters, WorkerMetrics


def declared() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Type, labels and description of each metric, by the name that its samples begin with."""
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry, "group")
    computed = {**metrics.lanes.FAMILIES, **NativeCounters.FAMILIES}
    labels = {f"upcaster_{name}": given for name, (_, given) in computed.items()}
    for metric in vars(metrics).values():
        if hasattr(metric, "_labelnames"):
            labels[metric._name] = metric._labelnames
    found = {}
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = family.type, tuple(labels[family.name]), family.documentation
    return found
