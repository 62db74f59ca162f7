"""Where bytes of one schema are bytes of another: then a value that nobody touched is copied as it came."""

from __future__ import annotations

from upcasters.formats.avro.types import AvroType


class Spliced(dict[AvroType, bool]):
    """For each type of a writer's schema whether its bytes are a value of ``target``, and the same value.

    No type is a union: a union's branch stands for it. What is asked is kept, for as long as the target's schema is.
    """

    def __init__(self, target: AvroType) -> None:
        self._target = target

    def __missing__(self, came: AvroType) -> bool:
        found = self[came] = is_same(self._target, came, set())
        return found


def is_same(target: AvroType, came: AvroType, asked: set[tuple[int, int]]) -> bool:
    """True where every value of ``came`` is, byte for byte, the same value of ``target``."""
    pair = (id(target), id(came))
    if target is came or pair in asked:
        return True  # a record inside of itself: it is the same if all else is
    asked.add(pair)
    if not _is_same_scalar(target, came):
        return False
    if target.kind == "record":
        return len(target.fields) == len(came.fields) and all(
            one.name == other.name and is_same(one.type, other.type, asked)
            for one, other in zip(target.fields, came.fields, strict=True)
        )
    parts, others = list(target.parts()), list(came.parts())
    return len(parts) >= len(others) and all(map(lambda a, b: is_same(a, b, asked), parts, others))


def _is_same_scalar(target: AvroType, came: AvroType) -> bool:
    if target.kind != came.kind:
        return (came.kind, target.kind) == ("int", "long") and not (target.logical or came.logical)
    if target.logical != came.logical:
        return came.logical == "uuid" and not target.logical and target.kind == "string"
    if target.kind == "enum":
        return target.symbols[: len(came.symbols)] == came.symbols
    if target.logical == "decimal" and (target.scale != came.scale or target.precision < came.precision):
        return False
    return target.size == came.size
