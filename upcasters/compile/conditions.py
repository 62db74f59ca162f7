"""Conditions as expressions of a generated function, and the shapes of versions as one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from upcasters.compile.code import UNCHECKED, Code
from upcasters.conditions import AllOf, AnyOf, Anything, Condition, Equals, Not, Present
from upcasters.document import Object
from upcasters.paths import Path

ShapeMatcher = Callable[[Object], str | None]


def compile_shapes(shapes: Sequence[tuple[str, Condition]]) -> tuple[ShapeMatcher, str]:
    """One function that gives the first version whose shape fits, or None; and its source.

    What it looks at it opens unchecked: whoever goes on to change the document checks that no key was lost.
    """
    code = Code()
    for version, condition in shapes:
        code.line(f"if {expression(condition, code)}: return {version!r}")
    source = code.function("def shape(root):", "None")
    return code.build(source, "shape", UNCHECKED), source


def emit_shapes(shapes: Sequence[tuple[str, Condition]], name: str, code: Code) -> None:
    """The same inside of another function, as lines that give the version to a variable."""
    tests = [(version, expression(condition, code)) for version, condition in shapes]
    word = "if"
    for version, test in tests:
        code.line(f"{word} {test}: {name} = {version!r}")
        word = "elif"
    code.line(f"else: {name} = None" if tests else f"{name} = None")


def expression(condition: Condition, code: Code, *, look: bool = True) -> str:
    """A condition as an expression. With ``look``, nothing is changed between conditions and objects are shared."""
    if isinstance(condition, Present):
        return f"{condition.path[-1]!r} in {looked_at(condition.path[:-1], code, look=look)}"
    if isinstance(condition, Equals) and type(condition.value) is str:
        node = f"{looked_at(condition.path[:-1], code, look=look)}.get({condition.path[-1]!r})"
        return f"same_text({node}, {condition.value!r})"
    if isinstance(condition, (Anything, Not)):
        return f"not ({expression(condition.part, code, look=look)})" if isinstance(condition, Not) else "True"
    if isinstance(condition, (AllOf, AnyOf)):
        word = " and " if isinstance(condition, AllOf) else " or "
        return word.join(f"({expression(part, code, look=look)})" for part in condition.parts) or "True"
    if not condition.outside():
        return f"{code.constant(condition.test, 'test')}(root)"
    return f"{code.constant(condition.answer, 'answer')}(root, context)"


def looked_at(path: Path, code: Code, *, look: bool = False) -> str:
    """The object at a path, empty where there is none: opened now if it is the first, else only when asked for."""
    if path in code.opened or (look and len(code.opened) == 1):
        return code.looked_at(path)
    known = max(length for length in range(len(path)) if path[:length] in code.opened)
    expression = code.opened[path[:known]]
    for key in path[known:]:
        expression = f"look_at({expression}, {key!r})"
    return expression
