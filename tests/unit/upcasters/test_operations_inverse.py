"""What says that it can be undone exactly gives the same document back, headers and key too."""

from __future__ import annotations

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.unit.upcasters.generated import (
    ENDS,
    KEEP,
    OVER,
    SEPARATOR,
    SKIP,
    SOURCE,
    WHICH,
    by_digits,
    conditions,
    constants,
    events,
    forms,
    header_name,
    key,
    names,
    paths,
    pick,
    scalars,
    spell,
    starred,
    time_forms,
    unspell,
)
from upcasters import (
    Event,
    EventError,
    Operation,
    Reversibility,
    StepError,
    add,
    at,
    convert,
    convert_time,
    copy,
    derive,
    everywhere,
    field_to_header,
    fields_to_list,
    join_list,
    join_values,
    keep_only,
    list_to_fields,
    map_values,
    move,
    nest,
    number,
    parse_json,
    print_json,
    reformat,
    rename,
    rename_header,
    rename_many,
    scale,
    set_header,
    split_list,
    split_value,
    switch,
    template,
    unnest,
    unwrap,
    when,
    wrap,
)
from upcasters.context import Context
from upcasters.document import read, write
from upcasters.operations.base import undo

NULL = st.sampled_from(["keep", "empty", "wrap"])
Makes = st.SearchStrategy[Operation]

simple: Makes = st.one_of(
    st.builds(rename, paths, key),
    st.builds(rename_many, st.sampled_from(["", "a", "b.*"]), st.dictionaries(key, key, min_size=1, max_size=3)),
    names.map(lambda both: rename_many("", {both[0]: both[1], both[1]: both[0]})),
    st.builds(move, paths, paths),
    st.builds(copy, paths, paths, missing=SKIP),
    st.builds(add, starred, constants, missing=SKIP),
    st.builds(derive, paths, st.lists(paths, max_size=2), st.just(pick)),
    st.builds(nest, names, key, at=st.sampled_from(["", "a"]), missing=SKIP),
    st.builds(unnest, paths, names),
    st.builds(keep_only, names, key, at=st.sampled_from(["", "a", "b.*"])),
    st.builds(convert, starred, st.just(spell), st.just(unspell), missing=SKIP, null=KEEP),
    st.builds(map_values, starred, st.dictionaries(scalars, scalars, min_size=1, max_size=6), missing=SKIP, null=KEEP),
    st.builds(split_value, paths, st.sampled_from([" ", "x"]), names),
    st.builds(join_values, names, st.sampled_from([" ", "::", "xx"]), paths),
    st.builds(split_value, paths, st.sampled_from([" ", "x", "a"]), names, which=WHICH, short=KEEP),
    st.builds(join_values, names, st.sampled_from([" ", "xx", "x"]), paths, which=WHICH, short=KEEP),
    st.builds(fields_to_list, names, paths, short=KEEP),
    st.builds(list_to_fields, paths, names, short=KEEP),
    st.builds(split_list, starred, SEPARATOR, ends=ENDS, missing=SKIP, null=KEEP),
    st.builds(join_list, starred, SEPARATOR, ends=ENDS, missing=SKIP, null=KEEP),
    st.builds(reformat, starred, forms, forms, missing=SKIP, null=KEEP, wrong_type=SKIP),
    st.builds(scale, starred, st.sampled_from([100, "0.01", "1/3", -6]), missing=SKIP, null=KEEP, wrong_type=SKIP),
    st.builds(
        scale,
        starred,
        st.sampled_from([100, "0.01"]),
        plus=st.sampled_from([0, -1, "0.5"]),
        digits=st.sampled_from([None, 0, 3]),
        missing=SKIP,
    ),
    st.builds(convert_time, starred, time_forms, time_forms, missing=SKIP, null=KEEP, wrong_type=SKIP),
    st.builds(convert_time, starred, time_forms, time_forms, missing=SKIP, digits=st.just(3)),
    st.builds(template, paths, st.sampled_from(["{a}", "<{a}{b}>", "x{b.a}"]), missing=SKIP),
    st.builds(print_json, starred, missing=SKIP, null=st.sampled_from(["error", "keep", "print"])),
    st.builds(parse_json, starred, missing=SKIP, null=KEEP),
    st.builds(wrap, starred, null=NULL, lists=st.sampled_from(["error", "wrap"]), missing=SKIP),
    st.builds(unwrap, starred, missing=SKIP, null=KEEP, empty=st.sampled_from(["error", "null", "drop"])),
    st.builds(number, starred, key, missing=SKIP, start=st.integers(0, 1), over=OVER),
    st.builds(set_header, header_name, st.just("set")),
    st.builds(rename_header, header_name, header_name, missing=SKIP),
    st.builds(field_to_header, paths, header_name),
)


def several(inner: Makes) -> st.SearchStrategy[list[Operation]]:
    return st.lists(inner, min_size=1, max_size=2)


any_operation: Makes = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(lambda path, ops, skip: at(path, *ops, missing=skip, wrong_type=skip), starred, several(inner), SKIP),
        st.builds(
            lambda asked, ops, rest: when(asked, *ops, otherwise=rest),
            conditions,
            several(inner),
            st.lists(inner, max_size=1),
        ),
        st.builds(
            lambda path, cases, rest: switch(path, cases, otherwise=rest),
            paths,
            st.dictionaries(scalars, several(inner), min_size=1, max_size=2),
            st.one_of(st.just("error"), st.lists(inner, max_size=1)),
        ),
        st.builds(
            lambda asked, ops, stop, nested: everywhere(asked, *ops, stop_at=["b"], stop_where=stop, nested=nested),
            conditions,
            several(inner),
            st.none() | conditions,
            st.sampled_from(["change", "keep"]),
        ),
    ),
    max_leaves=3,
)


def written(draw: st.DrawFn) -> Operation | None:
    try:
        made = draw(any_operation)
    except StepError:
        return None
    return made if made.inverse().kind is Reversibility.EXACT else None


def changed(operation: Operation | None, event: Event) -> tuple[bytes, Context] | None:
    """The document and its context after an operation, if it works on it."""
    if operation is None:
        return None
    around = Context.of(event, SOURCE, "t")
    try:
        root = read(event.value or b"")
        operation.apply(root, around)
        return write(root), around
    except (EventError, RecursionError):
        return None


@st.composite
def undoable(draw: st.DrawFn) -> tuple[Operation, Event, bytes, Context]:
    """An operation that says that it can be undone exactly, on an event on which it works."""
    event = draw(events())
    for _ in range(8):
        operation = written(draw)
        result = changed(operation, event)
        if operation is not None and result is not None and result[0] != event.value:
            return operation, event, *result
    return reject()


def test_kinds_say_whether_the_way_down_is_open() -> None:
    assert [str(kind) for kind in Reversibility if kind.reversible] == ["exact", "equivalent", "needs value"]


@settings(max_examples=150, deadline=None)
@given(undoable())
def test_undone(case: tuple[Operation, Event, bytes, Context]) -> None:
    operation, event, value, around = case
    before, after = read(event.value or b""), read(value)
    for back in undo((operation,)).operations:
        back.apply(after, around)
    assert by_digits(write(before)) == by_digits(write(after))
    assert (around.key, sorted(around.headers, key=str)) == (event.key, sorted(event.headers, key=str))


@settings(max_examples=60, deadline=None)
@given(undoable())
def test_the_undo_of_an_undo_changes_as_the_operation_does(case: tuple[Operation, Event, bytes, Context]) -> None:
    operation, event, value, _ = case
    twice = undo(undo((operation,)).operations)
    if twice.kind is not Reversibility.EXACT:
        return
    again = read(event.value or b"")
    for one in twice.operations:
        one.apply(again, Context.of(event, SOURCE, "t"))
    assert by_digits(value) == by_digits(write(again))
