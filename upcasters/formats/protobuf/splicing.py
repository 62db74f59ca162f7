"""Where records of one schema are records of another: then a value that nobody touched is copied as it came."""

from __future__ import annotations

from typing import Final

from upcasters.formats.protobuf.types import NO_ONEOF, FieldType, MessageType

OTHERWISE: Final = 0
COPIED: Final = 1
RENUMBERED: Final = 2
"""The same value under another number: all but the tags is copied."""


class Spliced(dict[FieldType, int]):
    """For each field of a writer's schema whether its records are those of ``target``."""

    def __init__(self, target: FieldType) -> None:
        self._target = target

    def __missing__(self, came: FieldType) -> int:
        target = self._target
        if not is_same(target, came, set()):
            found = OTHERWISE
        else:
            found = COPIED if target.number == came.number else RENUMBERED
        self[came] = found
        return found


def is_same(target: FieldType, came: FieldType, asked: set[tuple[str, str]]) -> bool:
    """True where every value of ``came`` is the same value of ``target`` byte for byte, but for their numbers."""
    if target is came:
        return True
    if (target.kind, target.wire, target.is_repeated, target.is_map) != (
        came.kind,
        came.wire,
        came.is_repeated,
        came.is_map,
    ):
        return False
    if target.is_checked_text and not came.is_checked_text:
        return False
    if target.key is not None and came.key is not None:
        return is_same(target.key, came.key, asked) and is_same(target.of_item, came.of_item, asked)
    if target.enum is not None and came.enum is not None:
        known = target.enum.numbers
        return all(known.get(name) == number for name, number in came.enum.numbers.items())
    return target.message is None or (
        came.message is not None and _is_same_message(target.message, came.message, asked)
    )


def _is_same_message(target: MessageType, came: MessageType, asked: set[tuple[str, str]]) -> bool:
    """All fields are the same ones: what only one of them has would be known to the other as another field, or not."""
    pair = (target.name, came.name)
    if target is came or pair in asked:
        return True  # a message inside of itself: it is the same if all else is
    asked.add(pair)
    if target.well_known != came.well_known or target.by_number.keys() != came.by_number.keys():
        return False
    return all(
        _is_same_field(one, came.by_number[number], target, came, asked) for number, one in target.by_number.items()
    )


def _is_same_field(
    one: FieldType, other: FieldType, target: MessageType, came: MessageType, asked: set[tuple[str, str]]
) -> bool:
    if one.name != other.name or (one.has_presence and not other.has_presence):
        return False
    if one.is_required and not other.is_required:
        return False
    if _rivals(one, target) - _rivals(other, came):
        return False
    return is_same(one, other, asked)


def _rivals(one: FieldType, message: MessageType) -> set[str]:
    return set() if one.oneof == NO_ONEOF else {each.name for each in message.oneofs[one.oneof]}
