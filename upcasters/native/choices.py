"""Operations that run only for some values, ``when`` and ``switch``: each set of answers is a variant of its own.

Only where the answers are settled before anything changes, and depend on single values at fixed paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from upcasters.compile.groups import FlatGroup, grouped
from upcasters.conditions import Anything, Condition, Equals, HasType, IsNull, OneOf, Present, leaves
from upcasters.document import Object, ScalarKey, encode, plain, scalar_key, scalar_value
from upcasters.native.places import Unsupported
from upcasters.operations.base import Operation
from upcasters.operations.choice import Switch, When
from upcasters.paths import EACH, Path, overlap

Texts = frozenset[bytes]
"""Values that are told apart, as JSON."""
MOST_QUESTIONS = 16
MOST_TEXTS = 256


def questions_of(operations: Iterable[Operation]) -> dict[Path, Texts]:
    """What is asked about the document. Raises Unsupported where the answers are not settled beforehand."""
    found: dict[Path, Texts] = {}
    _ask(operations, found, [])
    if len(found) > MOST_QUESTIONS or any(len(texts) > MOST_TEXTS for texts in found.values()):
        raise Unsupported
    return found


def _ask(operations: Iterable[Operation], found: dict[Path, Texts], written: list[Path]) -> None:
    """Add what operations ask; ``written`` are the paths that were changed by then, on any way."""
    for operation in operations:
        if not isinstance(operation, (When, Switch)):
            written += operation.writes()
            continue
        for path, texts in _asked(operation):
            if EACH in path or any(overlap(path, one) for one in written):
                raise Unsupported
            found[path] = found.get(path, frozenset()) | texts
        _ask(inside(operation), found, written)


def _asked(operation: When | Switch) -> Iterator[tuple[Path, Texts]]:
    if isinstance(operation, Switch):
        yield operation.path, _texts(operation.cases)
    else:
        yield from _of_condition(operation.condition)


def _of_condition(condition: Condition) -> Iterator[tuple[Path, Texts]]:
    for leaf in leaves(condition):
        if isinstance(leaf, (Present, HasType, IsNull)):
            yield leaf.path, frozenset()
        elif isinstance(leaf, Equals):
            yield leaf.path, _texts([scalar_key(plain(leaf.value))])
        elif isinstance(leaf, OneOf):
            yield leaf.path, _texts(leaf.values)
        elif not isinstance(leaf, Anything):
            raise Unsupported


def _texts(keys: Iterable[ScalarKey]) -> Texts:
    """As JSON, in the only way that the extension takes for one of them: of a number that is as an integer."""
    values = list(map(scalar_value, keys))
    if any(value is not None and type(value) not in (str, bool, int) for value in values):
        raise Unsupported
    return frozenset(map(encode, values))


def inside(operation: When | Switch) -> Sequence[Operation]:
    """The operations of all cases."""
    return operation.all() if isinstance(operation, Switch) else (*operation.operations, *operation.otherwise)


def all_groups(operations: Iterable[Operation]) -> Iterator[FlatGroup]:
    """The groups of every case, for the places that they open. Raises Unsupported where an operation is in none."""
    for operation in operations:
        if isinstance(operation, (When, Switch)):
            yield from all_groups(inside(operation))
            continue
        for group in grouped([operation]):
            if not isinstance(group, FlatGroup):
                raise Unsupported
            yield group


def settled(operations: Iterable[Operation], root: Object) -> Iterator[Operation]:
    """The operations that run for a document. Raises EventError where a switch has no case for it."""
    for operation in operations:
        if isinstance(operation, Switch):
            yield from settled(operation.chosen(root), root)
        elif isinstance(operation, When):
            holds = operation.condition.test(root)
            yield from settled(operation.operations if holds else operation.otherwise, root)
        else:
            yield operation
