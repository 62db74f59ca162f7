"""Going along a path, opening only what lies on it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Literal, get_args

from upcasters.document import Array, Object, json_type, open_container, open_object
from upcasters.errors import MissingField, WrongType
from upcasters.paths import EACH, Each, Item, Path, Place, Segment, show

OnMissing = Literal["error", "skip"]
ON_MISSING: tuple[str, ...] = get_args(OnMissing)
OnWrongType = Literal["error", "skip"]
ON_WRONG_TYPE: tuple[str, ...] = get_args(OnWrongType)

MISSING: Any = object()


def objects(
    root: Object, path: Path, missing: OnMissing = "error", wrong_type: OnWrongType = "error"
) -> Iterator[Object]:
    """Every object at ``path``, opened in its place. ``EACH`` opens every item or value.

    Raises MissingField and WrongType unless told to skip; a null on the way counts as a wrong type.
    """
    return _only_objects(containers(root, path, missing, wrong_type), path, wrong_type)


def _only_objects(found: Iterator[Object | Array], path: Path, wrong_type: OnWrongType) -> Iterator[Object]:
    for container in found:
        if type(container) is dict:
            yield container
        elif wrong_type == "error":
            raise WrongType(f"{show(path)} is an array, not an object", path)


def numbered(
    root: Object, path: Path, missing: OnMissing = "error", wrong_type: OnWrongType = "error"
) -> Iterator[tuple[int | None, Object]]:
    """As ``objects``, each with its position among what the path's last ``EACH`` means; None where there is none."""
    if EACH not in path:
        for target in objects(root, path, missing, wrong_type):
            yield None, target
        return
    last = len(path) - 1 - path[::-1].index(EACH)
    for container in containers(root, path[:last], missing, wrong_type):
        for position, key in enumerate(keys_of(container, path, last, missing, wrong_type)):
            inside = _inside(container, key, path, last, missing, wrong_type)
            for target in _only_objects(inside, path, wrong_type):
                yield position, target


def containers(
    root: Object, path: Path, missing: OnMissing = "error", wrong_type: OnWrongType = "error"
) -> Iterator[Object | Array]:
    """Every object or array at ``path``, opened in its place."""
    return _descend(root, path, 0, missing, wrong_type)


def _descend(
    container: Any, path: Path, depth: int, missing: OnMissing, wrong_type: OnWrongType
) -> Iterator[Object | Array]:
    if depth == len(path):
        yield container
        return
    for key in keys_of(container, path, depth, missing, wrong_type):
        yield from _inside(container, key, path, depth, missing, wrong_type)


def _inside(
    container: Any, key: Any, path: Path, depth: int, missing: OnMissing, wrong_type: OnWrongType
) -> Iterator[Object | Array]:
    if wrong_type == "skip" and json_type(container[key]) not in ("object", "array"):
        return
    container[key] = child = open_container(container[key], path[: depth + 1])
    yield from _descend(child, path, depth + 1, missing, wrong_type)


def keys_of(
    container: Any, path: Path, depth: int, missing: OnMissing, wrong_type: OnWrongType
) -> tuple[Any, ...] | range:
    """The keys or indexes of ``container`` that the path's part at ``depth`` means and that are there."""
    segment: Segment = path[depth]
    if isinstance(segment, Each):
        return range(len(container)) if type(container) is list else tuple(container)
    if type(container) is list:
        if wrong_type == "error":
            raise WrongType(f"{show(path[:depth])} is an array, not an object", path[:depth])
        return ()
    if segment in container:
        return (segment,)
    if missing == "error":
        raise MissingField(f"{show(path[: depth + 1])} is missing", path[: depth + 1])
    return ()


def slots(
    root: Object, path: Path, missing: OnMissing = "error", wrong_type: OnWrongType = "error"
) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) that ``path`` means and that is there; the value is ``container[key]``."""
    for container in containers(root, path[:-1], missing, wrong_type):
        for key in keys_of(container, path, len(path) - 1, missing, wrong_type):
            yield container, key


def find(root: Object, path: Path) -> Any:
    """The node at a path without ``EACH``, or MISSING: also where a parent is missing or not an object."""
    node: Any = root
    parent: Any = None
    for depth, segment in enumerate(path):
        if depth and type(node) is not dict:
            try:
                node = open_object(node)
            except WrongType:
                return MISSING
            parent[path[depth - 1]] = node
        if segment not in node:
            return MISSING
        parent, node = node, node[segment]
    return node


def peek(root: Object, path: Path) -> Any:
    """As ``find``, but what is only looked at stays as it is written."""
    node: Any = root
    for segment in path:
        try:
            node = open_object(node).get(segment, MISSING)
        except WrongType:
            return MISSING
        if node is MISSING:
            return MISSING
    return node


def container_at(root: Object, place: Place) -> Any:
    """The array or object at a place, opened there. Raises WrongType or LookupError where there is none."""
    container: Any = root
    for part in place:
        key = _key_of(container, part)
        container[key] = inside = open_container(container[key])
        container = inside
    return container


def _key_of(container: Any, part: Segment | Item) -> Any:
    if not isinstance(part, Item):
        return part
    return int(part) if type(container) is list else next(islice(container, part, None), None)


def parent_of(root: Object, path: Path, *, create: bool) -> Object:
    """The object that holds the last key of ``path`` (which has no ``EACH``).

    A missing parent is made where ``create`` says so. Raises MissingField or WrongType otherwise.
    """
    node = root
    for depth, segment in enumerate(path[:-1]):
        assert segment is not EACH
        if segment not in node:
            if not create:
                raise MissingField(f"{show(path[: depth + 1])} is missing", path[: depth + 1])
            node[segment] = {}
        child = open_object(node[segment], path[: depth + 1])
        node[segment] = child
        node = child
    return node
