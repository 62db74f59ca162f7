"""How many records take each hop of the chain, from how many take each way through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from upcasters import Chain
from upcasters.step import Hop
from worker.replay.plan.parts import HopCount, PassageCount


def hop_counts(chain: Chain, targets: Mapping[str, str], passages: Iterable[PassageCount]) -> tuple[HopCount, ...]:
    """In the chain's own order. Ways are counted up to a hop behind which the event decides: a split, a new type."""
    counts: dict[int, tuple[Hop, int]] = {}
    for passage in passages:
        for hop in _way(chain, targets, passage):
            _, before = counts.get(id(hop.steps[0]), (hop, 0))
            counts[id(hop.steps[0])] = (hop, before + passage.records)
    order = {node: place for place, node in enumerate(chain.versions)}
    ordered = sorted(counts.values(), key=lambda found: order.get(found[0].source, 0))
    return tuple(_count(hop, records) for hop, records in ordered)


def _way(chain: Chain, targets: Mapping[str, str], passage: PassageCount) -> tuple[Hop, ...]:
    node = (passage.event_type, passage.from_version)
    return chain.path(node, targets) if node in chain.versions else ()


def _count(hop: Hop, records: int) -> HopCount:
    return HopCount(event_type=hop.source[0], source=hop.source[1], target=hop.target[1], step=hop.id, records=records)
