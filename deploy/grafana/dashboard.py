"""Writes `upcast.json`, the Grafana dashboard, to standard output (`make generate`).

It asks for the series that the recording rules of `deploy/prometheus/` make, and for the worker's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
OURS = 'namespace=~"$namespace", topic=~"$topic"'
NAMESPACE = 'namespace=~"$namespace"'
WIDTH = 24
FATES = ("upcast", "passed", "skipped", "dead_lettered")
UNACCOUNTED = f"sum(upcaster_records_consumed_total{{{OURS}}})" + "".join(
    f" - (sum(upcaster_records_{fate}_total{{{OURS}}}) or vector(0))" for fate in FATES
)


@dataclass(frozen=True)
class Panel:
    """``queries`` are pairs of a legend and PromQL. ``red_from``: values that a person should look at."""

    title: str
    description: str
    unit: str
    queries: Sequence[tuple[str, str]]
    kind: str = "graph"
    red_from: float | None = None
    stacked: bool = False
    width: int = 8


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[Panel] = field(default_factory=tuple)


ROWS = (
    Row(
        "Overview: is it keeping up, is it correct, what arrives in which version",
        (
            Panel(
                "Behind by",
                "Age of the oldest record that is not yet upcast, over all partitions. 0: everything that can be read is "
                "through. No value: no worker knows, because none runs or the brokers do not answer.",
                "s",
                [("", f"max(topic:upcaster_consumer_lag_seconds:max{{{OURS}}})")],
                kind="number",
                red_from=300,
                width=4,
            ),
            Panel(
                "Records waiting",
                "Records that can be read and are not committed.",
                "short",
                [("", f"sum(topic:upcaster_consumer_lag:sum{{{OURS}}})")],
                kind="number",
                width=4,
            ),
            Panel(
                "Throughput",
                "Source records whose fate was committed, a second, in the last minute.",
                "rps",
                [("", f"sum(topic:upcaster_records_consumed:rate1m{{{OURS}}})")],
                kind="number",
                width=4,
            ),
            Panel(
                "Unaccounted for",
                "Consumed less upcast, passed, skipped and dead-lettered, as the running workers count. Always 0: anything "
                "else is an error in the worker.",
                "short",
                [("", f"abs({UNACCOUNTED})")],
                kind="number",
                red_from=1,
                width=4,
            ),
            Panel(
                "Dead letters",
                "Records that could not be upcast since the running workers started. They lie byte for byte in the "
                "dead-letter topic.",
                "short",
                [("", f"sum(upcaster_records_dead_lettered_total{{{OURS}}}) or vector(0)")],
                kind="number",
                red_from=1,
                width=4,
            ),
            Panel(
                "Partitions held",
                "Partitions that wait for an operator: paused, breaker open, or blocked. `/readyz` names them.",
                "short",
                [("", f"sum(upcaster_paused_partitions{{{NAMESPACE}}})")],
                kind="number",
                red_from=1,
                width=4,
            ),
            Panel(
                "Behind by, each topic",
                "Age of the oldest record of each topic that is not yet upcast.",
                "s",
                [("{{topic}}", f"topic:upcaster_consumer_lag_seconds:max{{{OURS}}}")],
                red_from=300,
            ),
            Panel(
                "What becomes of records",
                "Every source record ends in exactly one of these. Passed: it was current already, or a tombstone.",
                "rps",
                [
                    ("upcast", f"sum(topic:upcaster_records_upcast:rate1m{{{OURS}}})"),
                    ("passed", f"sum(topic:upcaster_records_passed:rate1m{{{OURS}}})"),
                    (
                        "skipped: {{reason}}",
                        f"sum by (reason) (topic_reason:upcaster_records_skipped:rate1m{{{OURS}}})",
                    ),
                    ("dead letters", f"sum(topic_stage:upcaster_records_dead_lettered:rate1m{{{OURS}}})"),
                ],
                stacked=True,
            ),
            Panel(
                "What arrives in which version",
                "Events that the chain changed, by type and way. A step may be dropped when its line has been at 0 for "
                "longer than events are kept; `upcast census --retire` proves it.",
                "eps",
                [
                    (
                        "{{event_type}} {{from_version}} to {{to_version}}",
                        f"sum by (event_type, from_version, to_version) (version:upcaster_upcasts:rate5m{{{NAMESPACE}}})",
                    )
                ],
                stacked=True,
            ),
            Panel(
                "Latency",
                "From a record's own timestamp to the commit of its output. In a replay of old events this is their age.",
                "s",
                [
                    ("half of {{topic}}", f"topic:upcaster_record_e2e_latency_seconds:p50_rate5m{{{OURS}}}"),
                    ("99 % of {{topic}}", f"topic:upcaster_record_e2e_latency_seconds:p99_rate5m{{{OURS}}}"),
                ],
            ),
            Panel(
                "Records waiting, each topic",
                "Records that can be read and are not committed. Growing: more arrives than is upcast.",
                "short",
                [("{{topic}}", f"topic:upcaster_consumer_lag:sum{{{OURS}}}")],
            ),
            Panel(
                "Written",
                "Records in each destination; a split counts each of its children. Dead letters are not among them.",
                "rps",
                [("{{destination}}", f"sum by (destination) (rate(upcaster_records_produced_total{{{OURS}}}[1m]))")],
            ),
        ),
    ),
    Row(
        "Per partition",
        (
            Panel(
                "Behind by",
                "Age of the oldest record of each partition that is not yet upcast; absent while nobody knows it.",
                "s",
                [("{{topic}} {{partition}}", f"upcaster_consumer_lag_seconds{{{OURS}}}")],
                red_from=300,
            ),
            Panel(
                "Records waiting",
                "Records of each partition that can be read and are not committed.",
                "short",
                [("{{topic}} {{partition}}", f"upcaster_consumer_lag{{{OURS}}}")],
            ),
            Panel(
                "Held back",
                "For how long the last stable offset of each partition has stood still: what is behind somebody's open "
                "transaction cannot be read, and is in no lag.",
                "s",
                [("{{topic}} {{partition}}", f"upcaster_consumer_held_back_seconds{{{OURS}}}")],
                red_from=300,
            ),
            Panel(
                "Throughput",
                "Source records of each partition whose fate was committed, a second.",
                "rps",
                [
                    (
                        "{{topic}} {{partition}}",
                        f"sum by (topic, partition) (rate(upcaster_records_consumed_total{{{OURS}}}[1m]))",
                    )
                ],
            ),
            Panel(
                "Offsets",
                "Committed by the group, next to be worked on, and end of what can be read. A flat committed line below a "
                "rising end is a partition that stands still.",
                "none",
                [
                    ("committed {{topic}} {{partition}}", f"upcaster_partition_committed_offset{{{OURS}}}"),
                    ("position {{topic}} {{partition}}", f"upcaster_partition_position{{{OURS}}}"),
                    ("end {{topic}} {{partition}}", f"upcaster_partition_end_offset{{{OURS}}}"),
                ],
            ),
            Panel(
                "Breaker",
                "1 while too many dead letters hold the partition.",
                "none",
                [("{{topic}} {{partition}}", f"max by (topic, partition) (upcaster_breaker_open{{{OURS}}})")],
                kind="states",
                red_from=1,
            ),
            Panel(
                "Partitions of each worker",
                "How the group shares them. The sum is the number of the topics' partitions, but for a moment in a "
                "rebalance.",
                "short",
                [("{{instance}}", f"upcaster_assigned_partitions{{{NAMESPACE}}}")],
                stacked=True,
            ),
            Panel(
                "Members that do something else",
                "Workers of the group that use another chain or destination for the same topic. A rolling start has some "
                "for a while.",
                "short",
                [("{{topic}}", f"max by (topic) (upcaster_disagreeing_members{{{OURS}}})")],
                red_from=1,
            ),
        ),
    ),
    Row(
        "Replay",
        (
            Panel(
                "Offsets to go",
                "Offsets that each replay has yet to pass.",
                "short",
                [("{{replay_id}} {{topic}}", f"replay:upcaster_replay_remaining_records:sum{{{OURS}}}")],
            ),
            Panel(
                "Time to go",
                "At the pace of the last ten minutes. No value: it does not move, or is done.",
                "s",
                [("{{replay_id}} {{topic}}", f"replay:upcaster_replay_eta_seconds{{{OURS}}}")],
            ),
            Panel(
                "Partitions done",
                "Partitions of each replay that have passed their end, as a share of all.",
                "percentunit",
                [("{{replay_id}} {{topic}}", f"avg by (replay_id, topic) (upcaster_replay_complete{{{OURS}}})")],
            ),
        ),
    ),
    Row(
        "Faults",
        (
            Panel(
                "Dead letters",
                "By stage and kind of fault. `upcast dlq list` groups them, `upcast dlq show` explains one.",
                "rps",
                [
                    (
                        "{{topic}} {{stage}} {{error_type}}",
                        f"sum by (topic, stage, error_type) (topic_stage:upcaster_records_dead_lettered:rate1m{{{OURS}}})",
                    )
                ],
                stacked=True,
            ),
            Panel(
                "Errors",
                "Errors, dead letters included. The stages fetch, produce and commit are about the brokers, the "
                "others about events.",
                "eps",
                [
                    (
                        "{{stage}} {{error_type}}",
                        f"sum by (stage, error_type) (stage:upcaster_errors:rate5m{{{NAMESPACE}}})",
                    )
                ],
            ),
            Panel(
                "Lanes that started anew",
                "After something that may pass. Nothing is lost or doubled by it; many mean brokers in trouble.",
                "eps",
                [
                    (
                        "{{stage}} {{error_type}}",
                        f"sum by (stage, error_type) (rate(upcaster_retries_total{{{NAMESPACE}}}[5m]))",
                    )
                ],
            ),
            Panel(
                "Rebalances and restarts",
                "In a quarter of an hour. Each rebalance stops all work of the group for a moment.",
                "short",
                [
                    ("rebalances {{instance}}", f"increase(upcaster_rebalances_total{{{NAMESPACE}}}[15m])"),
                    ("restarts {{instance}}", f'changes(process_start_time_seconds{{job="upcast", {NAMESPACE}}}[15m])'),
                ],
            ),
            Panel(
                "Where the time goes",
                "Seconds of each second: the chain on this machine (process), the brokers taking output (produce), and "
                "commits. The largest one is what to look at when it is slow.",
                "percentunit",
                [
                    (part, f"sum(rate(upcaster_{part}_duration_seconds_sum{{{OURS}}}[5m]))")
                    for part in ("process", "produce", "commit")
                ],
                stacked=True,
            ),
            Panel(
                "Since the last commit",
                "Time since a transaction committed on each worker. An idle topic makes it grow, too: look at what waits.",
                "s",
                [
                    (
                        "{{instance}}",
                        f"time() - (upcaster_last_progress_timestamp_seconds{{{NAMESPACE}}} > 0)",
                    )
                ],
            ),
            Panel(
                "Memory",
                "Resident memory of each worker, and what it has fetched and not committed.",
                "bytes",
                [
                    ("{{instance}}", f'process_resident_memory_bytes{{job="upcast", {NAMESPACE}}}'),
                    ("in flight {{instance}}", f"upcaster_in_flight_bytes{{{NAMESPACE}}}"),
                ],
            ),
            Panel(
                "CPU",
                "Cores that each worker uses. It works in one thread: at 1 it needs company, up to one worker a partition.",
                "percentunit",
                [("{{instance}}", f'rate(process_cpu_seconds_total{{job="upcast", {NAMESPACE}}}[5m])')],
                red_from=0.9,
            ),
            Panel(
                "HTTP requests",
                "By route and status. Those over the legacy port have to move before it goes.",
                "reqps",
                [
                    (
                        "{{route}} {{status}}",
                        f"sum by (route, status) (rate(upcaster_api_requests_total{{{NAMESPACE}}}[5m]))",
                    ),
                    (
                        "legacy port: {{route}}",
                        f"sum by (route) (rate(upcaster_legacy_port_requests_total{{{NAMESPACE}}}[5m]))",
                    ),
                ],
            ),
        ),
    ),
)


def whole() -> dashboard.Dashboard:
    made = (
        dashboard.Dashboard("Upcast worker")
        .uid("upcast-worker")
        .description("Old events brought to their current schema: is it keeping up, and is it correct.")
        .tags(["kafka", "upcast"])
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_choice("namespace", "upcaster_build_info"))
        .with_variable(_choice("topic", "upcaster_consumer_lag"))
    )
    y, number = 0, count(1)
    for row in ROWS:
        made = made.with_row(dashboard.Row(row.title).id(next(number)).grid_pos(GridPos(h=1, w=WIDTH, x=0, y=y)))
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                x, y, height = 0, y + height, 0
            high = 4 if panel.kind == "number" else 8
            made = made.with_panel(_drawn(panel, GridPos(h=high, w=panel.width, x=x, y=y)).id(next(number)))
            x, height = x + panel.width, max(height, high)
        y += height
    return made


def _choice(label: str, metric: str) -> dashboard.QueryVariable:
    """Of a label's values, all at first. Outside Kubernetes nothing has a namespace, which `.*` finds, too."""
    return (
        dashboard.QueryVariable(label)
        .label(label.capitalize())
        .datasource(SOURCE)
        .query(f"label_values({metric}, {label})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
    )


def _drawn(panel: Panel, place: GridPos) -> timeseries.Panel | stat.Panel | statetimeline.Panel:
    drawn = KINDS[panel.kind]()
    drawn.title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE).grid_pos(place)
    steps = [Threshold(value=None, color="green")]
    if panel.red_from is not None:
        steps.append(Threshold(value=panel.red_from, color="red"))
    drawn.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.stacked:
        drawn.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL)).fill_opacity(40)
    for number, (legend, expression) in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend or "__auto").ref_id(chr(ord("A") + number))
        drawn.with_target(query.datasource(SOURCE).instant() if panel.kind == "number" else query.datasource(SOURCE))
    return drawn


def _graph() -> timeseries.Panel:
    legend = (
        common.VizLegendOptions().display_mode(kinds.LegendDisplayMode.LIST).placement(kinds.LegendPlacement.BOTTOM)
    )
    return timeseries.Panel().min(0).fill_opacity(10).legend(legend.show_legend(True))


def _number() -> stat.Panel:
    last = common.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().reduce_options(last).graph_mode(kinds.BigValueGraphMode.NONE).no_value("unknown")


KINDS: Mapping[str, type] = {"graph": _graph, "number": _number, "states": statetimeline.Panel}


if __name__ == "__main__":
    print(JSONEncoder(sort_keys=True, indent=2).encode(whole().build()))
