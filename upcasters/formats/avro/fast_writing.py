"""Code that writes documents by one schema: spans that stay are copied, the most frequent values are written here.

Whatever it does not expect it leaves to ``writing``: a value, or all of the document where a value has no place, so
that the error names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from msgspec import Raw

from upcasters.depth import MOST_LEVELS
from upcasters.document import Object
from upcasters.formats.avro.reading import MOST_LINES, AvroSpan
from upcasters.formats.avro.types import AvroType, Field
from upcasters.formats.avro.varints import written
from upcasters.formats.avro.writing import Out, Writing

_INLINE: Final = 3
"""Records stand in the code of what holds them down to so many levels."""

_MOST_CONSTANTS: Final = 64
_LONGEST_CONSTANT: Final = 64
"""In bytes: what is longer is hardly one that comes again."""


class FastWriting:
    """As ``Writing``, and quick."""

    def __init__(self, avro: AvroType) -> None:
        self._plainly = Writing(avro)
        self._write = _Code(self._plainly).writer(avro) if avro.kind == "record" else self._plainly

    def __call__(self, root: Object) -> bytes:
        """The document as bytes. Raises as ``Writing`` does."""
        try:
            return self._write(root)
        except Exception:  # noqa: BLE001  # the other one says what it was, or writes it
            return self._plainly(root)


class _Unexpected(Exception):
    """The generated code met what it leaves to ``Writing``."""


class _Branches(dict[AvroType, bytes | None]):
    """For each type of a writer's schema what stands before its bytes in a union; None: its bytes are no branch."""

    def __init__(self, avro: AvroType, writing: Writing) -> None:
        self._avro = avro
        self._writing = writing

    def __missing__(self, came: AvroType) -> bytes | None:
        number = self._writing.branch_as_it_is(self._avro, came)
        found = self[came] = None if number is None else written(number)
        return found


class _Code:
    """Writes the functions."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._scope: dict[str, Any] = {
            "AvroSpan": AvroSpan,
            "MISSING": object(),
            "Raw": Raw,
            "Unexpected": _Unexpected,
            "size": written,
        }
        self._functions: list[str] = []
        self._names: dict[AvroType, str] = {}
        self._lines: list[str] = []
        self._indent = 1
        self._variables = 0
        self._records = 0

    def writer(self, avro: AvroType) -> Callable[[Object], bytes]:
        """The function for documents of a record."""
        self._line("parts = []")
        self._line("w = parts.append")
        self._line("d = 0")
        self._fields(avro, "root")
        self._line("return b''.join(parts)")
        source = "\n".join([*self._functions, "def write(root):", *self._lines, ""])
        exec(compile(source, "<upcasters: avro writer>", "exec"), self._scope)  # noqa: S102  # our own generated text
        made: Callable[[Object], bytes] = self._scope["write"]
        return made

    def _line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _constant(self, value: Any, hint: str) -> str:
        name = f"{hint}_{len(self._scope)}"
        self._scope[name] = value
        return name

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        self._line(head)
        self._indent += 1
        yield
        self._indent -= 1

    def _fields(self, avro: AvroType, node: str) -> None:
        """Code for the fields of a record whose object is in a variable."""
        missing = self._variable()
        self._line(f"{missing} = 0")
        for one in avro.fields:
            value = self._variable()
            self._line(f"{value} = {node}.get({one.name!r}, MISSING)")
            self._value(one.type, value, absent=self._default(one, value, missing))
        self._line(f"if len({node}) + {missing} != {len(avro.fields)}: raise Unexpected")

    def _default(self, one: Field, value: str, missing: str) -> Callable[[], None]:
        """Code for a field that is not there; one with another name is left to ``writing``."""

        def write() -> None:
            default = self._writing.default(one)
            with self._block(f"elif {value} is MISSING:"):
                if default is None or one.aliases:
                    self._line("raise Unexpected")
                else:
                    self._line(f"{missing} += 1")
                    self._line(f"w({self._constant(default, 'default')})")

        return write

    def _value(self, avro: AvroType, value: str, absent: Callable[[], None] | None = None) -> None:
        """Code for a value of any type, in a variable."""
        if avro.kind == "union":
            self._union(avro, value)
        else:
            same = self._constant(self._writing.same(avro), "same")
            self._line(f"if type({value}) is AvroSpan and {same}[{value}.avro]: w({value}.data)")
            self._plain(avro, value)
        if absent is not None:
            absent()
        with self._block("else:"):
            self._line(f"{self._constant(self._slowly(avro), 'slowly')}({value}, w, d)")

    def _union(self, avro: AvroType, value: str) -> None:
        branches = self._constant(_Branches(avro, self._writing), "branches")
        with self._block(f"if type({value}) is AvroSpan and (b := {branches}[{value}.avro]) is not None:"):
            self._line(f"w(b); w({value}.data)")
        kinds = [one.kind for one in avro.branches]
        if "null" in kinds:
            self._line(f"elif {value} is None: w({written(kinds.index('null'))!r})")
        plain = [n for n, one in enumerate(avro.branches) if one.kind == "string" and not one.logical]
        if plain:
            self._text(value, f"w({written(plain[0])!r}); ")

    def _plain(self, avro: AvroType, value: str) -> None:
        """Code for the most frequent Python values of a type."""
        if avro.kind == "string" and not avro.logical:
            self._text(value, "")
        elif avro.kind == "boolean":
            self._line(f"elif {value} is True: w(b'\\x01')")
            self._line(f"elif {value} is False: w(b'\\x00')")
        elif avro.kind in ("int", "long") and not avro.logical:
            self._line(f"elif type({value}) is int and -{2**31} <= {value} < {2**31}: w(size({value}))")
        elif avro.kind == "record" and not self._is_apart(avro):
            self._records += 1
            with self._block(f"elif type({value}) is dict:"):
                self._fields(avro, value)
            self._records -= 1
        elif avro.is_container:
            kind = "list" if avro.kind == "array" else "dict"
            self._line(f"elif type({value}) is {kind}: {self._function(avro)}({value}, w, d + 1)")
        if not avro.is_container:
            constants = self._constant(self._constants(avro), "constants")
            self._line(f"elif type({value}) is Raw: w({constants}({value}))")

    def _is_apart(self, avro: AvroType) -> bool:
        return avro.recursive or self._records >= _INLINE or len(self._lines) > MOST_LINES

    def _text(self, value: str, before: str) -> None:
        with self._block(f"elif type({value}) is str:"):
            self._line(f"{before}t = {value}.encode(); w(size(len(t))); w(t)")

    def _function(self, avro: AvroType) -> str:
        name = self._names.get(avro)
        if name is None:
            name = self._names[avro] = f"put_{len(self._names)}"
            outer = self._lines, self._indent, self._records
            self._lines, self._indent, self._records = [f"def {name}(node, w, d):  # {avro.kind}"], 1, 0
            self._line(f"if d > {MOST_LEVELS}: raise Unexpected")
            if avro.kind == "record":
                self._fields(avro, "node")
            else:
                self._items(avro)
            self._functions.append("\n".join([*self._lines, ""]))
            self._lines, self._indent, self._records = outer
        return name

    def _items(self, avro: AvroType) -> None:
        value = self._variable()
        self._line("if node: w(size(len(node)))")
        if avro.kind == "array":
            with self._block(f"for {value} in node:"):
                self._value(avro.items, value)
        else:
            with self._block(f"for key, {value} in node.items():"):
                self._line("t = key.encode(); w(size(len(t))); w(t)")
                self._value(avro.items, value)
        self._line("w(b'\\x00')")

    def _slowly(self, avro: AvroType) -> Callable[[Any, Out, int], None]:
        put = self._writing.put
        return lambda node, out, level: put(avro, node, out, (), level)

    def _constants(self, avro: AvroType) -> Callable[[Raw], bytes]:
        """What gives the bytes of a JSON value; those that come again and again are kept."""
        known: dict[bytes, bytes] = {}
        put = self._writing.put

        def made(node: Raw) -> bytes:
            text = bytes(node)
            found = known.get(text)
            if found is None:
                parts: list[bytes] = []
                put(avro, node, parts.append, (), 0)
                found = b"".join(parts)
                if len(known) < _MOST_CONSTANTS and len(text) <= _LONGEST_CONSTANT:
                    known[text] = found
            return found

        return made
