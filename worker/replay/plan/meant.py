"""Whether a leaf that has no effect on the output was dropped on purpose: by an operation that says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from upcasters import Chain, Operation, Upcaster
from upcasters.context import Context
from upcasters.detect import Detector
from upcasters.document import Object, decode_plain, read, write
from upcasters.errors import EventError
from upcasters.operations.reach import At, Everywhere
from upcasters.operations.values import Function
from upcasters.paths import EACH, Path
from upcasters.step import Hop
from worker.replay.plan.leaves import LeafPath, leaves
from worker.replay.plan.samples import Sample


def declares_loss(chain: Chain, upcaster: Upcaster, sample: Sample, one: bytes, other: bytes) -> bool:
    """``one`` and ``other`` differ in one leaf and come out the same. True where the operation that made them the same
    declares that it drops that place, or reads it and writes what several values share (a map of values).

    False also where this cannot be found out: a split, or an operation that needs more of the chain.
    """
    detector = Detector(chain, upcaster.policy.detection)
    first, second = _Run(detector, sample, one), _Run(detector, sample, other)
    for operation in _operations(chain, upcaster, first):
        places = _differing(first.root, second.root)
        try:
            operation.apply(first.root, first.context)
            operation.apply(second.root, second.context)
        except (EventError, TypeError, AttributeError):
            return False
        if write(first.root) == write(second.root):
            return bool(places) and all(_declares(operation, place) for place in places)
    return False


class _Run:
    """A document on its way through the operations."""

    def __init__(self, detector: Detector, sample: Sample, value: bytes) -> None:
        event = sample.event
        found = detector.detect(event, read(value))
        self.node = (found.event_type, found.version)
        self.root: Object = found.body
        self.context = Context.of(event, sample.source, found.event_type)


def _operations(chain: Chain, upcaster: Upcaster, run: _Run) -> Iterator[Operation]:
    hops: Iterable[Hop] = chain.path(run.node, upcaster.policy.target)
    for hop in hops:
        for operation in hop.operations:
            yield from _apart(operation)


def _apart(operation: Operation) -> Iterator[Operation]:
    """Operations at a path, one by one, so that each is seen at the names that it works with."""
    if not isinstance(operation, At):
        yield operation
        return
    for inner in operation.operations:
        for each in _apart(inner):
            yield At(operation.path, (each,), operation.missing, operation.wrong_type)


def _differing(one: Object, other: Object) -> list[LeafPath]:
    before, after = (dict(leaves(decode_plain(write(root)))) for root in (one, other))
    places = dict.fromkeys((*before, *after))
    return [at for at in places if before.get(at) != after.get(at) or (at in before) != (at in after)]


def _declares(operation: Operation, place: LeafPath) -> bool:
    if any(_covers(gone, place) for gone in operation.dropped()):
        return True
    if isinstance(operation, Everywhere):
        inside = [gone for inner in operation.operations for gone in inner.dropped()]
        return any(_covers(gone, place[start:]) for gone in inside for start in range(len(place)))
    mapped = operation.reads() if not _calls_function(operation) else ()
    return any(read and _covers(read, place) for read in mapped)


def _calls_function(operation: Operation) -> bool:
    inner = operation
    while isinstance(inner, At):
        inner = inner.operations[0]
    return isinstance(inner, Function)


def _covers(path: Path, place: LeafPath) -> bool:
    """True where the place is the path's, or inside it."""
    return len(place) >= len(path) and all(part is EACH or part == key for part, key in zip(path, place, strict=False))
