"""A schema's text and what it refers to, as descriptors. protoc compiles texts, in this process.

A text is that of a `.proto` file, or a compiled file (``FileDescriptorProto``) in base64, as some clients register it.
"""

from __future__ import annotations

import ast
import base64
import binascii
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from upcasters.formats.schema import Schema, SchemaError

MOST_FILES: Final = 200
MOST_CHARACTERS: Final = 5_000_000
_PART: Final = re.compile(r"[^/\\\x00-\x1f]{1,200}")
_COMMENT: Final = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_SAYS_SYNTAX: Final = re.compile(r"\s*(syntax|edition)\b")
_MEND: Final = "Mend the schema, or name the schemas that it refers to."
_INSTALL: Final = "pip install 'upcast-engine[protobuf]'"
_OWN_NAMES: Final = ("schema.proto", "the-schema.proto")


class Compiled(NamedTuple):
    """The descriptor of a schema's file, and of all files that it imports (by pool)."""

    file: Any
    pool: Any


def compiled(schema: Schema) -> Compiled:
    """Raises SchemaError, however hostile the texts are."""
    try:
        from google.protobuf import descriptor_pool
    except ImportError:
        raise SchemaError("Protobuf needs the extra `protobuf`", _INSTALL) from None
    pool = descriptor_pool.DescriptorPool()
    name = ""
    for name, content in _files(schema):
        try:
            pool.AddSerializedFile(content)
        except Exception as error:  # noqa: BLE001  # whatever it finds, this schema cannot be used
            raise _unusable(f"{name}: {type(error).__name__}") from None
    try:
        return Compiled(pool.FindFileByName(name), pool)
    except Exception as error:  # noqa: BLE001  # as above
        raise _unusable(f"{name}: {type(error).__name__}") from None


def _unusable(why: str) -> SchemaError:
    return SchemaError(f"the Protobuf schema cannot be compiled ({' '.join(why.split())[:300]})", _MEND)


def _files(schema: Schema) -> Iterator[tuple[str, bytes]]:
    """Names and compiled contents, each after what it imports, the schema's own last."""
    references = _references(schema)
    descriptor = _descriptor(schema.text)
    if descriptor is None:
        yield from _from_text(schema.text, references)
        return
    done: dict[str, bytes] = {}
    _add(descriptor, references, done, ())
    yield from done.items()


def _references(schema: Schema) -> Mapping[str, str]:
    """All that a schema refers to, directly or not: texts by the names that imports use for them."""
    found: dict[str, str] = {}
    waiting = list(schema.references)
    while waiting:
        name, inner = waiting.pop()
        if inner.kind != "protobuf":
            raise SchemaError(f"a Protobuf schema refers to a schema of kind {inner.kind}", _MEND)
        if found.setdefault(name, inner.text) != inner.text:
            raise _unusable(f"two schemas have the name {name}")
        waiting.extend(each for each in inner.references if each.name not in found)
        if len(found) > MOST_FILES or sum(map(len, found.values())) + len(schema.text) > MOST_CHARACTERS:
            raise _unusable("it is too large, with all that it refers to")
    return found


def _descriptor(text: str) -> bytes | None:
    """A compiled file that stands in base64 where a text may; None for a text."""
    try:
        content = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return content or None


def _add(content: bytes, references: Mapping[str, str], done: dict[str, bytes], above: tuple[str, ...]) -> None:
    """A compiled file, after those that it imports."""
    name, imports = _head(content)
    if name in above or len(above) > MOST_FILES:
        raise _unusable(f"{name} imports itself")
    for each in imports:
        if each in done:
            continue
        text = references.get(each, "")
        inner = _descriptor(text) if text else None
        if inner is not None:
            _add(inner, references, done, (*above, name))
        else:
            for found, made in _from_text(text, references, each) if text else _import_of(each):
                done.setdefault(found, made)
    done[name] = content


def _head(content: bytes) -> tuple[str, list[str]]:
    from google.protobuf import descriptor_pb2

    try:
        file = descriptor_pb2.FileDescriptorProto.FromString(content)
    except Exception:  # noqa: BLE001  # what google's own errors are called differs
        raise _unusable("its text is neither that of a file nor a compiled one in base64") from None
    return file.name or _OWN_NAMES[0], list(file.dependency)


def _import_of(name: str) -> Iterator[tuple[str, bytes]]:
    """What is imported and nobody has handed in: one of google's own files, which the compiler has."""
    found = list(_from_text(f'syntax = "proto3";\nimport "{_name(name)}";\n', {}))
    yield from found[:-1]


def _from_text(text: str, references: Mapping[str, str], own: str = "") -> Iterator[tuple[str, bytes]]:
    own = own or next(name for name in _OWN_NAMES if name not in references)
    with TemporaryDirectory(prefix="upcast-protoc-") as folder:
        for name, content in {**references, own: text}.items():
            _put(Path(folder), name, content)
        yield from _compile(own, folder)


def _put(folder: Path, name: str, text: str) -> None:
    if _descriptor(text) is not None:
        raise _unusable(f"{_shown(name)} is a compiled file, and what imports it is a text")
    place = folder / _name(name)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_with_syntax(text).encode())
    except (OSError, UnicodeEncodeError) as error:
        raise _unusable(f"{_shown(name)}: {type(error).__name__}") from None


def _with_syntax(text: str) -> str:
    """The compiler takes a text that does not say for proto2, and prints that it does."""
    return text if _SAYS_SYNTAX.match(_COMMENT.sub(" ", text)) else f'syntax = "proto2"; {text}'


def _name(name: str) -> str:
    """A name that an import may have. Raises SchemaError for one that would lead somewhere else."""
    parts = name.split("/")
    if '"' in name or any(part in (".", "..") or not _PART.fullmatch(part) for part in parts):
        raise _unusable(f"it refers to {_shown(name)}, which is no name of an import")
    return name


def _shown(name: str) -> str:
    return ascii(name[:100])


def _compile(own: str, folder: str) -> Iterator[tuple[str, bytes]]:
    # Not its public `protoc`: that one adds to `sys.path` when it is imported, and prints what is wrong.
    try:
        import grpc_tools
        from grpc_tools import _protoc_compiler as protoc
    except ImportError:
        raise SchemaError("texts of Protobuf need the extra `protobuf`", _INSTALL) from None
    googles = Path(grpc_tools.__file__).with_name("_proto")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as imports that nothing uses
            made = protoc.get_protos(own.encode(), [folder.encode(), str(googles).encode()])
    except Exception as error:  # noqa: BLE001  # what its errors are called is its own
        raise _unusable("; ".join(_said(error)) or type(error).__name__) from None
    for _, code in made:
        content = _content(code.decode())
        yield _head(content)[0], content


def _said(error: Exception) -> Iterator[str]:
    """What is wrong, with lines as editors count them."""
    with suppress(AttributeError, TypeError):
        for one in list(error.errors())[:5]:  # type: ignore[attr-defined]  # a ValidationError of pydantic, found by its method
            name, message = (text.decode(errors="replace") for text in (one.filename, one.message))
            yield f"{name}, line {one.line + 1}: {message}"


def _content(code: str) -> bytes:
    """The compiled file that stands in generated code, as the argument of ``AddSerializedFile``."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
            (argument,) = node.args
            if isinstance(argument, ast.Constant) and isinstance(argument.value, bytes):
                return argument.value
    raise _unusable("the compiler gave no descriptor")
