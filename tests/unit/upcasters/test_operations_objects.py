"""Values become objects and back; objects become lists of their members and back."""

from __future__ import annotations

import pytest

from tests.unit.upcasters.applying import applied, assert_reversible, refused, touches, undone
from upcasters import (
    EventError,
    Operation,
    Reversibility,
    StepError,
    from_object,
    list_to_object,
    object_to_list,
    to_object,
)
from upcasters.errors import Ambiguous, FieldExists, MissingField, WrongType

EXACT, EQUIVALENT, NEEDS_VALUE, LOSSY = Reversibility

CHANGES: dict[str, tuple[Operation, str, str]] = {
    "to object": (to_object("a", "id"), '{"z":1.0,"a":1.10}', '{"z":1.0,"a":{"id":1.10}}'),
    "null to object": (to_object("a", "id"), '{"a":null}', '{"a":{"id":null}}'),
    "to object, keeping null": (to_object("a", "id", null="keep"), '{"a":null}', '{"a":null}'),
    "to object, keeping objects": (
        to_object("a.*", "id", objects="keep"),
        '{"a":[{ "id":1.0 },"x"]}',
        '{"a":[{ "id":1.0 },{"id":"x"}]}',
    ),
    "to object, objects too": (to_object("a", "", objects="wrap"), '{"a":{ }}', '{"a":{"":{ }}}'),
    "nothing to object": (to_object("a.b", "id", missing="skip"), "{}", "{}"),
    "from object": (from_object("a", "id"), '{"a":{"id":1.10},"z":1.0}', '{"a":1.10,"z":1.0}'),
    "from objects": (from_object("a.*", "c"), '{"a":[{"c":[ 1 ]},{"c":{}}]}', '{"a":[[ 1 ],{}]}'),
    "from object, keeping null": (from_object("a", "id", null="keep"), '{"a":null}', '{"a":null}'),
    "from object, keeping larger ones": (
        from_object("a.*", "id", others="keep"),
        '{"a":[{"id":1},{"id":2,"x":3},{"x":4}]}',
        '{"a":[1,{"id":2,"x":3},{"x":4}]}',
    ),
    "from object, without the rest": (from_object("a", "id", others="drop"), '{"a":{"x":1,"id":2}}', '{"a":2}'),
    "from nothing": (from_object("a", "id", missing="skip"), "{}", "{}"),
    "list": (
        object_to_list("a", "id"),
        '{"a":{"x":{"n":1.10},"":{},"p.2":{"y":null}}}',
        '{"a":[{"id":"x","n":1.10},{"id":""},{"id":"p.2","y":null}]}',
    ),
    "list of pairs": (object_to_list("a", "k", value="v"), '{"a":{"é":1.0}}', '{"a":[{"k":"é","v":1.0}]}'),
    "lists": (object_to_list("a.*", "k"), '{"a":[{},{"x":{}}]}', '{"a":[[],[{"k":"x"}]]}'),
    "list of what is missing": (object_to_list("a", "id", missing="skip"), "{}", "{}"),
    "object": (
        list_to_object("a", "id"),
        '{"a":[{"n":1.10,"id":"x"},{"id":""}],"z":1.0}',
        '{"a":{"x":{"n":1.10},"":{}},"z":1.0}',
    ),
    "object of pairs": (list_to_object("a", "k", value="v"), '{"a":[{"v":1.0,"k":"é"}]}', '{"a":{"é":1.0}}'),
    "object of what is missing": (list_to_object("a", "id", missing="skip"), "{}", "{}"),
}


@pytest.mark.parametrize(("operation", "before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_changes(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after


REFUSALS: dict[str, tuple[Operation, str, type[EventError], str]] = {
    "nothing to object": (to_object("a", "id"), "{}", MissingField, "a"),
    "object to object": (to_object("a.*", "id"), '{"a":[{}]}', WrongType, "a.*"),
    "from nothing": (from_object("a", "id"), "{}", MissingField, "a"),
    "from null": (from_object("a", "id"), '{"a":null}', WrongType, "a"),
    "from a text": (from_object("a", "id"), '{"a":"x"}', WrongType, "a"),
    "from another object": (from_object("a", "id"), '{"a":{"x":1}}', MissingField, "a.id"),
    "from an empty object": (from_object("a", "id", others="keep"), '{"a":{}}', MissingField, "a.id"),
    "from a larger object": (from_object("a", "id"), '{"a":{"id":1,"x":1}}', WrongType, "a"),
    "list of nothing": (object_to_list("a", "id"), "{}", MissingField, "a"),
    "list of a list": (object_to_list("a", "id"), '{"a":[]}', WrongType, "a"),
    "list of numbers": (object_to_list("a", "id"), '{"a":{"x":1}}', WrongType, "a.*"),
    "list of what has an id": (object_to_list("a", "id"), '{"a":{"x":{"id":1}}}', FieldExists, "a.*.id"),
    "object of nothing": (list_to_object("a", "id"), "{}", MissingField, "a"),
    "object of an object": (list_to_object("a", "id"), '{"a":{}}', WrongType, "a"),
    "object of numbers": (list_to_object("a", "id"), '{"a":[1]}', WrongType, "a.*"),
    "object without a key": (list_to_object("a", "id"), '{"a":[{}]}', MissingField, "a.*.id"),
    "object by number": (list_to_object("a", "id"), '{"a":[{"id":1}]}', WrongType, "a.*.id"),
    "object with a key twice": (list_to_object("a", "id"), '{"a":[{"id":"x"},{"id":"x"}]}', FieldExists, "a.*.id"),
    "object of pairs without a value": (
        list_to_object("a", "k", value="v"),
        '{"a":[{"k":"x"}]}',
        MissingField,
        "a.*.v",
    ),
    "object of more than pairs": (
        list_to_object("a", "k", value="v"),
        '{"a":[{"k":"x","v":1,"w":2}]}',
        Ambiguous,
        "a.*",
    ),
}


@pytest.mark.parametrize(("operation", "before", "error", "path"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refuses(operation: Operation, before: str, error: type[EventError], path: str) -> None:
    assert "x" not in refused(error, path, before, operation).replace("exactly", "").split()


REVERSIBLE: dict[str, tuple[Operation, str]] = {
    "to object": (to_object("a.*", "id"), '{"a":[1,null,[]]}'),
    "to object, keeping null": (to_object("a.*", "id", null="keep"), '{"a":[1,null]}'),
    "to object, objects too": (to_object("a.*", "id", objects="wrap"), '{"a":[1,{"id":1}]}'),
    "from object": (from_object("a.*", "id"), '{"a":[{"id":1},{"id":null},{"id":{"id":2}}]}'),
    "list": (object_to_list("a", "id"), '{"a":{"y":{"n":1},"x":{}}}'),
    "list of pairs": (object_to_list("a", "k", value="v"), '{"a":{"y":null,"x":[]}}'),
    "object": (list_to_object("a", "id"), '{"a":[{"id":"y","n":1},{"id":"x"}]}'),
    "object of pairs": (list_to_object("a", "k", value="v"), '{"a":[{"k":"y","v":null}]}'),
}


@pytest.mark.parametrize(("operation", "before"), REVERSIBLE.values(), ids=REVERSIBLE.keys())
def test_comes_back(operation: Operation, before: str) -> None:
    assert_reversible(before, operation)


WAYS_BACK: dict[str, tuple[Operation, Reversibility, str, str]] = {
    "objects kept": (
        to_object("a.*", "id", objects="keep"),
        EQUIVALENT,
        '{"a":[{"id":1},{"x":1}]}',
        '{"a":[1,{"x":1}]}',
    ),
    "null kept": (from_object("a", "id", null="keep"), EQUIVALENT, '{"a":null}', '{"a":null}'),
    "the rest dropped": (from_object("a", "id", others="drop"), LOSSY, '{"a":1}', '{"a":{"id":1}}'),
    "larger ones kept": (from_object("a", "id", others="keep"), LOSSY, '{"a":{"x":1}}', '{"a":{"x":1}}'),
}


@pytest.mark.parametrize(("operation", "kind", "newer", "older"), WAYS_BACK.values(), ids=WAYS_BACK.keys())
def test_goes_back(operation: Operation, kind: Reversibility, newer: str, older: str) -> None:
    inverse = operation.inverse()
    assert (inverse.kind, bool(inverse.why)) == (kind, True)
    assert undone(newer, operation) == older


def test_key_and_value_are_two() -> None:
    with pytest.raises(StepError, match="same name"):
        object_to_list("a", "k", value="k")


def test_says_what_it_touches() -> None:
    operations = (to_object("a", "k"), from_object("a", "k"), object_to_list("a", "k"), list_to_object("a", "k"))
    for operation in operations:
        assert touches(operation) == {"reads": (("a",),), "writes": (("a",),), "dropped": ()}
    assert touches(from_object("a", "k", others="drop"))["dropped"] == (("a",),)
    assert [*map(str, operations), str(object_to_list("a", "k", value="v"))] == [
        "put a into an object as k",
        "take k out of the object a",
        "make the object a a list, its keys as k",
        "make the list a an object by k",
        "make the object a a list, its keys as k and v",
    ]
