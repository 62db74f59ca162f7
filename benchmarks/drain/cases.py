"""What is measured: each case changes one thing of the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.chains import TYPE_HEADER, by_hand
from benchmarks.peers.task_context import bring_up


@dataclass(frozen=True)
class Case:
    """``sizes``: records of the small and the large drain. ``route``: settings of the worker's route beside the usual
    ones. ``contenders``: who takes part; the worker always does. ``change``: what the route's chain does to a document.
    ``idle``: partitions without records beside those with. ``fields``: so many fields that no step touches."""

    name: str
    title: str
    contenders: tuple[str, ...] = ()
    bytes: int = 350
    mix: str = "mix"
    partitions: int = 4
    compression: str = "none"
    headers: tuple[tuple[str, bytes], ...] = ()
    delivery: str = "exactly-once"
    sizes: tuple[int, int] = (60_000, 300_000)
    route: Mapping[str, Any] = field(default_factory=dict)
    change: Callable[[dict[str, Any]], None] = bring_up
    idle: int = 0
    fields: int = 0


HAND = ("aiokafka-copy", "aiokafka-tuned", "confluent-copy", "confluent-hand")
OURS = ("worker-pure", "worker-stub")
EVERYONE = (*OURS, *HAND, "aiokafka-public", "aiokafka-naive", "streams-tuned", "streams-default", "quix")
AT_LEAST_ONCE = (*EVERYONE[len(OURS) :], "bytewax", "faststream-batch", "faststream-one")
OFF = {"validate": {"target": "never", "source": "never"}}

FIRST = Case("350", "350 B, 70/20/10, exactly once", EVERYONE, route=OFF)


def _of_chain(name: str, title: str, chain: str, change: Callable[[dict[str, Any]], None]) -> Case:
    route = {**OFF, "chain": f"benchmarks.chains:{chain}"}
    return replace(FIRST, name=name, title=title, contenders=(), mix="legacy", route=route, change=change)


CASES = {
    case.name: case
    for case in (
        FIRST,
        replace(
            FIRST,
            name="at-least-once",
            title="350 B, at least once",
            contenders=AT_LEAST_ONCE,
            delivery="at-least-once",
        ),
        replace(
            FIRST,
            name="2k",
            title="2 KB",
            contenders=("aiokafka-tuned", "confluent-hand", "streams-tuned"),
            bytes=2_000,
            sizes=(30_000, 300_000),
        ),
        replace(
            FIRST,
            name="7k",
            title="7 KB",
            contenders=(*OURS, "aiokafka-copy", "aiokafka-tuned", "confluent-hand", "streams-tuned"),
            bytes=7_000,
            sizes=(20_000, 150_000),
        ),
        replace(FIRST, name="legacy", title="all legacy", contenders=("aiokafka-tuned", "streams-tuned"), mix="legacy"),
        replace(
            FIRST, name="current", title="all current", contenders=("aiokafka-copy", "aiokafka-tuned"), mix="current"
        ),
        replace(
            FIRST,
            name="current-by-header",
            title="all current, said by a header",
            contenders=("aiokafka-copy",),
            mix="current",
            headers=(("schema-version", b"2.0"),),
            route={**OFF, "version": [{"header": "schema-version"}]},
        ),
        replace(
            FIRST,
            name="validated",
            title="target validation always",
            contenders=("aiokafka-tuned",),
            route={"validate": {"target": "always", "source": "never"}},
        ),
        replace(
            FIRST,
            name="defaults",
            title="validation as by default (target always, source 1 %)",
            contenders=("aiokafka-tuned",),
            route={},
        ),
        replace(
            FIRST,
            name="sampled",
            title="both validations sampled, 1 %",
            contenders=("aiokafka-tuned",),
            route={"validate": {"target": "sampled", "source": "sampled"}},
        ),
        replace(
            FIRST,
            name="lineage",
            title="lineage headers on",
            contenders=("aiokafka-tuned",),
            route={**OFF, "lineage_headers": True},
        ),
        replace(
            FIRST,
            name="lz4",
            title="lz4 in and out",
            contenders=("aiokafka-tuned", "confluent-hand"),
            compression="lz4",
        ),
        replace(
            FIRST,
            name="zstd",
            title="zstd in and out",
            contenders=("aiokafka-tuned", "confluent-hand", "streams-tuned"),
            compression="zstd",
        ),
        _of_chain("one-hop", "one hop, all legacy", "one_hop", by_hand(1, 1)),
        _of_chain("ten-hops", "ten hops, all legacy", "ten_hops", by_hand(10, 10)),
        _of_chain("late-of-10", "the last two of 10 steps", "late_of_ten", by_hand(10, 2)),
        _of_chain("late-of-100", "the last two of 100 steps", "late_of_a_hundred", by_hand(100, 2)),
        replace(_of_chain("1-type", "one type", "one_type", by_hand(2, 2)), headers=(TYPE_HEADER,)),
        replace(_of_chain("100-types", "a hundred types", "a_hundred_types", by_hand(2, 2)), headers=(TYPE_HEADER,)),
        replace(FIRST, name="idle", title="36 idle partitions beside 4", contenders=(), idle=36),
        replace(FIRST, name="8-fields", title="1.7 KB, 8 fields untouched", contenders=(), bytes=1_700, fields=8),
        replace(FIRST, name="80-fields", title="1.7 KB, 80 fields untouched", contenders=(), bytes=1_700, fields=80),
        replace(FIRST, name="behind", title="five times as many behind", contenders=(), sizes=(300_000, 1_500_000)),
        replace(FIRST, name="processes", title="350 B, one process beside two", contenders=("worker-2",)),
        replace(FIRST, name="100", title="100 partitions", contenders=("aiokafka-tuned",), partitions=100),
    )
}
