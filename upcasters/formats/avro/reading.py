"""Code that reads values of one schema: it opens the containers on the way to what is touched, and skips the rest.

What is skipped stays the bytes that it is, with its type (``AvroSpan``). So it can be written again as it came, opened
later, or read when a function asks for it. No value is trusted: each length is compared with the bytes that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from upcasters.depth import MOST_LEVELS
from upcasters.document import Array, JsonNode, Object, Unread, ValueType
from upcasters.duplicates import refuse_twice
from upcasters.errors import DecodeError, EventError, TooDeep
from upcasters.formats.avro.scalars import decoded, value_type
from upcasters.formats.avro.types import AvroType
from upcasters.formats.avro.varints import after_enum, after_int, after_long, block, branch, length, wrong
from upcasters.formats.implied import spend
from upcasters.formats.touching import EVERYTHING, NOTHING, Touched
from upcasters.paths import EACH

MOST_EMPTY_ITEMS: Final = 32
"""Items of an array that take no byte. A few bytes could name any number of them."""

_INLINE: Final = 3
"""Records stand in the code of what holds them down to so many levels; deeper ones are functions of their own."""

MOST_LINES: Final = 4_000
"""Of one function; what comes behind them is in functions of its own. Each field may name the same record again."""


class AvroSpan(Unread, frozen=True, eq=False, gc=False):
    """A value that is the bytes it came as; ``avro`` says what they are. Never a null and never a union."""

    avro: AvroType
    data: bytes

    @property
    def value_type(self) -> ValueType:
        return value_type(self.avro)

    @property
    def weight(self) -> int:
        return len(self.data)

    def opened(self) -> Object | Array:
        made: Object | Array = _readers_of(self.avro).open_one(self.data)
        return made

    def plain(self) -> Any:
        if self.avro.is_container:
            return _plain(_readers_of(self.avro).open_all(self.data))
        return decoded(self.avro, self.data)


def _plain(node: JsonNode) -> Any:
    kind = type(node)
    if kind is AvroSpan:
        return decoded(node.avro, node.data)
    # No comprehensions: each would take a frame of its own a level.
    if kind is dict:
        fields = {}
        for key, child in node.items():
            fields[key] = _plain(child)
        return fields
    if kind is list:
        items = []
        for child in node:
            items.append(_plain(child))  # noqa: PERF401  # recursive: a comprehension would take a frame of its own a level
        return items
    return node


class _ReadersOfType:
    """What opens a span of one container type; made when it is first asked for."""

    def __init__(self, avro: AvroType) -> None:
        self.open_one: Callable[[bytes], Object | Array] = reader_of(avro, NOTHING)
        self._avro = avro
        self._all: Callable[[bytes], Any] | None = None

    def open_all(self, data: bytes) -> Any:
        if self._all is None:
            self._all = reader_of(self._avro, EVERYTHING)
        return self._all(data)


def _readers_of(avro: AvroType) -> _ReadersOfType:
    if avro.readers is None:
        avro.readers = _ReadersOfType(avro)
    made: _ReadersOfType = avro.readers
    return made


def reader_of(avro: AvroType, touched: Touched) -> Callable[[bytes], Any]:
    """A function from the bytes of one container to a dict or list.

    It raises DecodeError for anything that is not exactly such a value, and TooDeep.
    """
    code = _Code()
    read = code.reader(avro, touched)

    def checked(data: bytes) -> Any:
        try:
            return read(data)
        except IndexError:
            raise DecodeError("the value is not what its Avro schema says: it ends too early") from None

    return checked


def _too_deep() -> EventError:
    return TooDeep("the value", "decode")


def _too_many(position: int) -> EventError:
    return wrong(f"an array has more than {MOST_EMPTY_ITEMS} items that take no byte", position)


# By the first byte of a text how many bytes it takes with its length; 0 where the length has more bytes, or is wrong.
_STEPS: Final = [0 if byte & 129 else 1 + (byte >> 1) for byte in range(256)]

_SCOPE: Mapping[str, Any] = {
    "AvroSpan": AvroSpan,
    "STEPS": _STEPS,
    "after_enum": after_enum,
    "after_int": after_int,
    "after_long": after_long,
    "block": block,
    "branch": branch,
    "length": length,
    "refuse_twice": refuse_twice,
    "spend": spend,
    "too_deep": _too_deep,
    "too_many": _too_many,
    "wrong": wrong,
}


class _Code:
    """Writes the functions: one for each array, map and recursive record, and all else inside of these."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = dict(_SCOPE)
        self.functions: list[str] = []
        self.names: dict[tuple[int, str], str] = {}
        self.types: dict[int, str] = {}
        self.lines: list[str] = []
        self.indent = 1
        self.variables = 0
        self.level = 0
        self.records = 0

    def reader(self, avro: AvroType, touched: Touched) -> Callable[[bytes], Any]:
        self._line("p = d = 0")
        name = self._root(avro, touched)
        self._line("if p != len(data): raise wrong('bytes are left over', p)")
        self._line(f"return {name}")
        source = "\n".join([*self.functions, "def read(data):", *self.lines, ""])
        exec(compile(source, "<upcasters: avro reader>", "exec"), self.scope)  # noqa: S102  # our own generated text
        made: Callable[[bytes], Any] = self.scope["read"]
        return made

    def _root(self, avro: AvroType, touched: Touched) -> str:
        """The document: of a union that branch which there is, opened whatever is touched."""
        if avro.kind != "union":
            return self._document(avro, touched)
        name = self._variable()
        self._branches(avro, lambda each: self._line(f"{name} = {self._document(each, touched)}"))
        return name

    def _document(self, avro: AvroType, touched: Touched) -> str:
        if avro.is_container:
            return self._opened(avro, touched)
        self._line("p = len(data)")  # of what is no document nobody asks how long it is
        return "None"

    def _line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def _variable(self) -> str:
        self.variables += 1
        return f"v{self.variables}"

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        self._line(head)
        self.indent += 1
        start = len(self.lines)
        yield
        if len(self.lines) == start:
            self._line("pass")
        self.indent -= 1

    def _type(self, avro: AvroType) -> str:
        if id(avro) not in self.types:
            self.types[id(avro)] = f"T{len(self.types)}"
            self.scope[self.types[id(avro)]] = avro
        return self.types[id(avro)]

    @contextmanager
    def _function(self, name: str, remark: str) -> Iterator[None]:
        """A function of its own: what is written meanwhile is its body."""
        outer = self.lines, self.indent, self.level, self.records
        self.lines, self.indent, self.level, self.records = [f"def {name}(data, p, d):  # {remark}"], 1, 0, 0
        yield
        self.functions.append("\n".join([*self.lines, ""]))
        self.lines, self.indent, self.level, self.records = outer

    def _deeper(self) -> str:
        return f"d + {self.level + 1}"

    # What is skipped.

    def skip(self, avro: AvroType) -> None:
        """Code that goes over a value."""
        if avro.kind == "record" and not self._is_apart(avro):
            with self._inside():
                for one in avro.fields:
                    self.skip(one.type)
        elif avro.is_container:
            self._line(f"p = {self._skipper(avro)}(data, p, {self._deeper()})")
        elif avro.kind == "union":
            self._branches(avro, self.skip)
        else:
            self._skip_scalar(avro)

    def _skip_scalar(self, avro: AvroType) -> None:
        size = {"float": 4, "double": 8}.get(avro.kind, avro.size)
        if size:
            self._line(f"p += {size}")
        elif avro.kind == "boolean":
            self._line("if data[p] > 1: raise wrong('a boolean that is neither 0 nor 1', p)")
            self._line("p += 1")
        elif avro.kind in ("int", "long"):
            self._line("if data[p] < 128: p += 1")
            self._line("elif data[p + 1] < 128: p += 2")
            self._line(f"else: p = after_{avro.kind}(data, p)")
        elif avro.kind in ("bytes", "string"):
            self._line("n = STEPS[data[p]]")
            self._line("if n: p += n")
            with self._block("else:"):
                self._line("n, p = length(data, p)")
                self._line("p += n")
        elif avro.kind == "enum":
            self._line("n = data[p]")
            self._line(f"if n & 129 or n >= {2 * len(avro.symbols)}: p = after_enum(data, p, {len(avro.symbols)})")
            self._line("else: p += 1")

    def _branches(self, avro: AvroType, each: Callable[[AvroType], None]) -> None:
        """Code that looks which branch of a union it is, and goes on with its value."""
        many = len(avro.branches) > 64
        choice = self._variable()
        if many:
            self._line(f"{choice}, p = branch(data, p, {len(avro.branches)})")
        else:
            self._line(f"{choice} = data[p]")
            self._line("p += 1")
        for number, one in enumerate(avro.branches):
            with self._block(f"{'elif' if number else 'if'} {choice} == {number if many else 2 * number}:"):
                each(one)
        if not many:
            self._line("else: raise wrong('a branch of a union that is not there', p - 1)")

    def _is_apart(self, avro: AvroType) -> bool:
        return avro.recursive or self.records >= _INLINE or len(self.lines) > MOST_LINES

    @contextmanager
    def _inside(self) -> Iterator[None]:
        self.level += 1
        self.records += 1
        yield
        self.level -= 1
        self.records -= 1

    def _named(self, avro: AvroType, touched: str, what: str) -> tuple[str, bool]:
        """The name of a function for a type, and whether it is to be written yet."""
        key = (id(avro), touched)
        known = key in self.names
        name = self.names.setdefault(key, f"{what}_{len(self.names)}")
        self._type(avro)  # so that it lives as long as its id stands for it
        return name, not known

    def _skipper(self, avro: AvroType) -> str:
        name, new = self._named(avro, "skip", "skip")
        if new:
            with self._function(name, avro.kind):
                if avro.kind == "record":
                    self._check_depth(avro)
                    for one in avro.fields:
                        self.skip(one.type)
                else:
                    self._skip_blocks(avro)
                self._line("return p")
        return name

    def _check_depth(self, avro: AvroType) -> None:
        if avro.recursive:
            self._line(f"if d > {MOST_LEVELS}: raise too_deep()")

    def _skip_blocks(self, avro: AvroType) -> None:
        def skip_item() -> None:
            if avro.kind == "map":
                self._skip_scalar(_KEY)
            self.skip(avro.items)

        self._blocks(avro, skip_item, "break")

    def _blocks(self, avro: AvroType, item: Callable[[], None], end: str) -> None:
        """Code for all blocks of an array or map; ``item`` writes what is done with each item."""
        self._line("b = e = 0")
        with self._block("while True:"):
            self._line("n = data[p]")
            self._line("if n & 129: n, p, e = block(data, p)")
            with self._block("else:"):
                self._line("n >>= 1; p += 1; e = 0")
            self._line(f"if not n: {end}")
            if avro.kind == "array" and not least_bytes(avro.items):
                self._line("b += n")
                self._line(f"if b > {MOST_EMPTY_ITEMS}: raise too_many(p)")
            else:
                self._line("if n > len(data) - p: raise wrong('more items than bytes', p)")
            with self._block("for _ in range(n):"):
                item()
            self._line("if e and p != e: raise wrong('a block of another size than it says', p)")

    # What is kept.

    def take(self, avro: AvroType, touched: Touched, name: str) -> None:
        """Code that puts a value into the variable ``name``: opened where something in it is touched."""
        if avro.kind == "null":
            self._line(f"{name} = None")
        elif avro.kind == "union":
            self._branches(avro, lambda each: self.take(each, touched, name))
        elif touched and avro.is_container and self._opens(avro, touched):
            self._line(f"{name} = {self._opened(avro, touched)}")
        else:
            start = self._variable()
            self._line(f"{start} = p")
            self.skip(avro)
            self._line(f"{name} = AvroSpan({self._type(avro)}, data[{start}:p])")

    @staticmethod
    def _opens(avro: AvroType, touched: Touched) -> bool:
        """Whether a path leads into such a container: into an array only by ``EACH``."""
        return touched is EVERYTHING or EACH in touched or avro.kind != "array"

    def _opened(self, avro: AvroType, touched: Touched) -> str:
        """An expression for the opened container, behind the code that opens it."""
        if avro.kind == "record" and not self._is_apart(avro):
            with self._inside():
                return self._fields(avro, touched)
        name = self._variable()
        self._line(f"{name}, p = {self._opener(avro, touched)}(data, p, {self._deeper()})")
        return name

    def _fields(self, avro: AvroType, touched: Touched) -> str:
        if avro.empty_values > MOST_EMPTY_ITEMS:
            self._line(f"spend({sum(not least_bytes(one.type) for one in avro.fields)})")
        parts = []
        for one in avro.fields:
            name = self._variable()
            self.take(one.type, touched.inside(one.name), name)
            parts.append(f"{one.name!r}: {name}")
        return f"{{{', '.join(parts)}}}"

    def _opener(self, avro: AvroType, touched: Touched) -> str:
        name, new = self._named(avro, touched.key, "open")
        if new:
            with self._function(name, avro.kind):
                self._check_depth(avro)
                if avro.kind == "record":
                    self._line(f"return {self._fields(avro, touched)}, p")
                elif avro.kind == "array":
                    self._items(avro, touched)
                else:
                    self._values(avro, touched)
        return name

    def _items(self, avro: AvroType, touched: Touched) -> None:
        def take_item() -> None:
            name = self._variable()
            self.take(avro.items, touched.inside(EACH), name)
            self._line(f"made.append({name})")

        self._line("made = []")
        self._blocks(avro, take_item, "return made, p")

    def _values(self, avro: AvroType, touched: Touched) -> None:
        def take_value() -> None:
            name = self._variable()
            self._line("n = data[p]")
            self._line("if n & 129: n, p = length(data, p)")
            with self._block("else:"):
                self._line("n >>= 1; p += 1")
            self._line("key = text(data, p, n)")
            self._line("p += n")
            self._line("if key in made: refuse_twice()")
            own = [key for key in touched if key is not EACH]
            for number, key in enumerate(own):
                with self._block(f"{'elif' if number else 'if'} key == {key!r}:"):
                    self.take(avro.items, touched.inside(key), name)
            if own:
                with self._block("else:"):
                    self.take(avro.items, touched.inside(EACH), name)
            else:
                self.take(avro.items, touched.inside(EACH), name)
            self._line(f"made[key] = {name}")

        self.scope["text"] = _text
        self._line("made = {}")
        self._blocks(avro, take_value, "return made, p")


_KEY: Final = AvroType("string")


def _text(data: bytes, start: int, size: int) -> str:
    if start + size > len(data):
        raise IndexError
    try:
        return str(data[start : start + size], "utf-8")
    except UnicodeDecodeError:
        raise wrong("a map's key that is not UTF-8", start) from None


def least_bytes(avro: AvroType) -> int:
    """1 where a value of this type takes a byte at least, else 0."""
    if avro.kind == "record":
        return 1 if avro.recursive or any(least_bytes(one.type) for one in avro.fields) else 0
    if avro.kind == "fixed":
        return min(avro.size, 1)
    return 0 if avro.kind == "null" else 1
