"""Chains by name: ``module:attribute``, an entry point of the group ``upcast.chains``, or a package of steps."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from upcasters.chain import Chain
from upcasters.detection import Detection
from upcasters.errors import ChainError, Problem
from upcasters.formats import Reference, Schema, SchemaKind
from upcasters.overlooked import Part, overlooked, own_name, short
from upcasters.readers import ReaderName, ValueReader
from upcasters.step import Baseline, Step, VersionLike

T = TypeVar("T")

ENTRY_POINT_GROUP = "upcast.chains"


def load_chain(name: str) -> Chain:
    """The chain that ``name`` means: ``package.module:attribute``, or the name of an entry point.

    Raises ChainError that says what is not there and what to do.
    """
    module_name, colon, attribute = name.partition(":")
    if "/" in module_name or module_name.endswith(".py"):
        meant = f"{Path(module_name).stem}:{attribute or 'chain'}"
        raise _refused(f"{name!r} names a file", f"Write module:attribute, in the file's folder {meant}.")
    return _from_module(module_name, attribute, name) if colon else _from_entry_point(name)


def _from_module(module_name: str, attribute: str, name: str) -> Chain:
    found: object = _import(module_name, name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise _refused(f"module {module_name} has no {attribute!r}", "Name the attribute that holds the Chain.")
        found = getattr(found, part)
    if not isinstance(found, Chain):
        raise _refused(f"{name} is a {type(found).__name__}, not a Chain", "Name the attribute that holds the Chain.")
    return found


def _import(module_name: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ChainError as error:
        raise _placed(error) from error
    except ModuleNotFoundError as error:
        place, remedy = _line(error), "Install the package, or run where it can be imported (PYTHONPATH)."
        if place:
            remedy = "Install what it imports beside the chain, or mend the name."
        raise _refused(f"chain {name} cannot be imported: {error}", remedy, place) from error
    except SyntaxError as error:
        place = f"{short(error.filename or module_name)}:{error.lineno}"
        raise _refused(f"chain {name} cannot be imported: {error.msg}", "Mend the line.", place) from error
    except Exception as error:
        place = _line(error)
        what = f"chain {name} cannot be imported: {type(error).__name__}: {_shown(error)}"
        remedy = _meant(error) or (
            "Mend the line." if place else f"Mend {module_name}; 'python -m {module_name}' shows where it fails."
        )
        raise _refused(what, remedy, place) from error


def _placed(error: ChainError) -> ChainError:
    """The same, with the line of the user's own code that it comes from, where a problem names no file."""
    place = _line(error)
    return ChainError([problem if problem.file else replace(problem, file=place) for problem in error.problems])


def _line(error: BaseException) -> str:
    """The line of the user's own code that an error comes from; empty where none is on the way."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    own = [frame for frame in frames if not _is_installed(frame.filename)] or frames
    return f"{short(own[-1].filename)}:{own[-1].lineno}" if own else ""


def _shown(error: Exception) -> str:
    """What it says in one line, without the path and the guess that Python adds to a name that cannot be imported."""
    text = str(error).partition(" (")[0] if isinstance(error, ImportError) else str(error)
    text = text.replace("from partially initialized module", "from")
    return " ".join(text.split())


def _meant(error: Exception) -> str:
    """The public name that was most likely meant, where a name is not there."""
    found = re.search(r"name '(\w+)'", str(error)) if isinstance(error, (NameError, ImportError)) else None
    if found is None:
        return ""
    import upcasters

    if isinstance(error, NameError) and found[1] in upcasters.__all__:
        return f"Write 'from upcasters import {found[1]}' on top."
    near = difflib.get_close_matches(found[1], [*upcasters.__all__, *_modules_of(error)], 1)
    return f"Did you mean {near[0]}?" if near else ""


def _modules_of(error: Exception) -> list[str]:
    """The modules of the package that lacks a name."""
    file = Path(error.path or "") if isinstance(error, ImportError) else Path()
    return [each.stem for each in file.parent.glob("*.py")] if file.name == "__init__.py" else []


def _is_users(filename: str) -> bool:
    return not filename.startswith("<") and not Path(filename).is_relative_to(_OURS) and "importlib" not in filename


def _is_installed(filename: str) -> bool:
    """True for Python's own modules and for packages: a model's mistake is raised inside of pydantic."""
    file = Path(filename)
    return file.is_relative_to(_PYTHONS) or not {"site-packages", "dist-packages"}.isdisjoint(file.parts)


_OURS = Path(__file__).parent
_PYTHONS = Path(inspect.__file__).parent


def _from_entry_point(name: str) -> Chain:
    points = entry_points(group=ENTRY_POINT_GROUP)
    for point in points:
        if point.name == name:
            return _from_module(point.module, point.attr or "", name)
    known = ", ".join(sorted(point.name for point in points)) or "none is installed"
    remedy = f"Write module:attribute, or one of the installed chains ({known})."
    raise _refused(f"there is no chain {name!r}", remedy)


def _refused(message: str, remedy: str, file: str = "") -> ChainError:
    return ChainError([Problem("import", message, remedy, file)])


def load_sound_chain(name: str, detection: Detection | None = None) -> Chain:
    """A chain whose steps take each version's model to the next one's. Raises ChainError."""
    chain = load_chain(name)
    chain.check(detection)
    return chain


def chain_from_package(
    package: str,
    *,
    current: Mapping[str, VersionLike] | None = None,
    detection: Detection | None = None,
    readers: Sequence[ReaderName | ValueReader] = (),
) -> Chain:
    """The chain of all modules of ``package`` that have a ``step``, ``steps``, ``baseline`` or ``baselines``.

    A module's name is the id of its step and its docstring the description, so that a new step is one new file.
    Raises ChainError also where a step would be overlooked: it has another name than these, or its file has none.
    """
    root = importlib.import_module(package)
    exports: dict[ModuleType, list[Part]] = {
        module: [*_listed(module, "step", Step), *_listed(module, "baseline", Baseline)] for module in _modules(root)
    }
    problems = overlooked(root, exports)
    if problems:
        raise ChainError(problems)
    named = [_named(part, module) for module, parts in exports.items() for part in parts]
    steps = [part for part in named if isinstance(part, Step)]
    baselines = [part for part in named if isinstance(part, Baseline)]
    return Chain(steps, baselines, current=current, detection=detection, name=package, readers=readers)


def _named(part: Part, module: ModuleType) -> Part:
    """With what only the module knows: its name, its file, its docstring, and the schema that lies beside it."""
    if isinstance(part.schema, str):
        part = replace(part, schema=_schema_beside(module, part.schema))
    if isinstance(part, Step):
        return part.named(_id(module, part), _file(module), _summary(module))
    description = part.description or _summary(module)
    return replace(part, id=own_name(module), file=_file(module), description=description)


_KINDS: Mapping[str, SchemaKind] = {".avsc": "avro", ".json": "json", ".proto": "protobuf"}
_COMMENT = re.compile(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*|/\*.*?\*/""", re.DOTALL)
"""Or a text, which is kept: two slashes in it begin no comment."""
_IMPORT = re.compile(r"""(?<![^\s;}])import\s*(?:(?:public|weak|option)\s*)?["']([\w./-]+)["']\s*;""")


def _schema_beside(module: ModuleType, given: str) -> Schema:
    """The schema in a file beside a step's own, and behind a # which message of Protobuf. Raises ChainError."""
    name, _, message = given.partition("#")
    kind = _KINDS.get(Path(name).suffix)
    if kind is None or Path(name).name != name or (message and kind != "protobuf"):
        remedy = "Name a file beside the step, such as order-2.avsc, .proto for Protobuf, or .json for a JSON Schema."
        raise ChainError([Problem("schema", f"schema={given!r} is no file of a schema", remedy, _file(module))])
    try:
        folder = Path(module.__file__ or "").parent
        text = (folder / name).read_text(encoding="utf-8")
        return Schema(kind, text, imports_of(folder, text) if kind == "protobuf" else (), message)
    except (OSError, UnicodeDecodeError) as error:
        what = f"schema={name!r} cannot be read ({type(error).__name__})"
        raise ChainError([Problem("schema", what, "Put the file beside the step.", _file(module))]) from None


def imports_of(folder: Path, text: str) -> tuple[Reference, ...]:
    """What a `.proto` file imports, directly or not, and lies in the folder; all else the compiler looks for itself.
    Raises OSError, UnicodeDecodeError."""
    found: dict[str, str] = {}
    waiting = [text]
    while waiting:
        for name in imported_names(waiting.pop()):
            lies_below = not name.startswith("/") and ".." not in name
            if name not in found and lies_below and (folder / name).is_file():
                found[name] = (folder / name).read_text(encoding="utf-8")
                waiting.append(found[name])
    return tuple(Reference(name, Schema("protobuf", inner)) for name, inner in sorted(found.items()))


def imported_names(text: str) -> list[str]:
    """The names of the files that the text of a `.proto` file imports."""
    return _IMPORT.findall(_COMMENT.sub(lambda found: found[1] or " ", text))


def _modules(root: ModuleType) -> Iterator[ModuleType]:
    for info in sorted(pkgutil.iter_modules(root.__path__), key=lambda info: info.name):
        yield importlib.import_module(f"{root.__name__}.{info.name}")


def _listed(module: ModuleType, name: str, kind: type[T]) -> list[T]:
    one = getattr(module, name, None)
    many = getattr(module, name + "s", ())
    found = [*([one] if one is not None else []), *(many if isinstance(many, (list, tuple)) else ())]
    return [item for item in found if isinstance(item, kind)]


def _id(module: ModuleType, step: Step) -> str:
    own = own_name(module)
    return own if len(_listed(module, "step", Step)) == 1 else f"{own}:{step.id}"


def _file(module: ModuleType) -> str:
    return short(module.__file__ or "")


def _summary(module: ModuleType) -> str:
    return inspect.getdoc(module) or ""
